//! The listener on a real socket.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server::{Listening, serve};

struct Running {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(listening: Listening, routes: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, routes, listening, shutdown.clone()));
    Running { address, shutdown, task }
}

fn quick() -> Listening {
    Listening { connections: 2, header_time: Duration::from_millis(200), drain_time: Duration::from_millis(500) }
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn slow_headers_and_silence_are_cut_off() {
    let running = start(quick(), Router::new().route("/", get(async || "hello"))).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    assert!(ended(&mut slow).await && ended(&mut silent).await);
    let mut good = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut good).await.ends_with("hello"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let listening = Listening { header_time: Duration::from_secs(60), ..quick() };
    let running = start(listening, Router::new().route("/", get(async || "hello"))).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    let _second = TcpStream::connect(running.address).await.unwrap();
    let mut third = TcpStream::connect(running.address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let waiting = tokio::time::timeout(Duration::from_millis(300), third.read_to_string(&mut answer)).await;
    assert!(waiting.is_err(), "{answer}");
    drop(first);
    tokio::time::timeout(Duration::from_secs(5), third.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_shutdown_lets_the_request_under_way_finish_and_takes_no_more() {
    let (begun, mut is_begun) = tokio::sync::mpsc::channel::<()>(1);
    let finish = CancellationToken::new();
    let waiting = finish.clone();
    let routes = Router::new().route(
        "/",
        get(async move || {
            begun.send(()).await.unwrap();
            waiting.cancelled().await;
            "done"
        }),
    );
    let listening = Listening { drain_time: Duration::from_secs(30), ..quick() };
    let running = start(listening, routes).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    let asking = tokio::spawn(async move { ask(&mut client).await });
    is_begun.recv().await.unwrap();
    running.shutdown.cancel();
    let refused = async {
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.unwrap();
    finish.cancel();
    assert!(asking.await.unwrap().ends_with("done"));
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_no_longer_than_it_may() {
    let (begun, mut is_begun) = tokio::sync::mpsc::channel::<()>(1);
    let routes = Router::new().route(
        "/",
        get(async move || {
            begun.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }),
    );
    let running = start(quick(), routes).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    is_begun.recv().await.unwrap();
    running.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.task).await.unwrap().unwrap().unwrap();
}
