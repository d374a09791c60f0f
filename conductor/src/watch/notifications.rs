//! Sends recorded notifications to RabbitMQ, in the form of oslo.messaging's notifier.
//!
//! One conductor among all holds the lease and sends, in order. An event is forgotten only when the broker has confirmed
//! it, so that it may arrive twice, under the same identifier, but never not at all. A broker that is away costs no
//! operation anything: events wait, within bounds, and the oldest are dropped with a line in the log.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::runtime::default_runtime;
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::column::now;
use crate::config::Notifications;
use crate::notification::{Notification, store};
use crate::{Conductor, Error, Result, lease};

/// How often there is a look for news.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the lease outlives its holder's last look.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long the broker may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest pause after a broker that did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Events sent at once.
const BATCH: u64 = 100;
/// The priorities there are, as parts of routing keys.
const PRIORITIES: [&str; 2] = ["info", "error"];

/// Refuses an address that is none, before anything depends on it.
///
/// # Errors
/// `Invalid` naming the option, without the password in it.
pub(crate) fn check(options: &Notifications) -> Result<()> {
    address(options).map(drop)
}

/// The broker's address, where one is configured.
fn address(options: &Notifications) -> Result<Option<AMQPUri>> {
    let Some(url) = &options.url else { return Ok(None) };
    // A slash at the end means the usual virtual host, as everywhere in OpenStack.
    let parsed = url.expose_secret().trim_end_matches('/').parse();
    parsed.map(Some).map_err(|_: String| {
        Error::invalid(
            "[notifications] url is no address of a broker; allowed: amqp:// or amqps://user:password@host:port/vhost",
        )
    })
}

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let options = &conductor.config.notifications;
    let Ok(Some(address)) = address(options) else { return };
    let holder = super::holder();
    let mut broker = Broker { options, address, publisher: format!("container-infra.{}", super::host()), open: None };
    let mut failures = 0;
    loop {
        let pause = if failures == 0 { INTERVAL } else { (INTERVAL * (1 << failures.min(5))).min(LONGEST_PAUSE) };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        match send(&conductor, &holder, &mut broker).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                broker.open = None;
                tracing::warn!(failures, error = %error.chain(), "notifications cannot be sent; trying again");
            }
        }
        if let Err(error) = bound(&conductor, options).await {
            tracing::warn!(error = %error.chain(), "waiting notifications cannot be bounded");
        }
    }
    if let Err(error) = lease::store::release(&conductor.db, "notifications", &holder).await {
        tracing::debug!(error = %error.chain(), "the lease is not released and will run out");
    }
}

/// Sends all that waits, if that is this process's part.
async fn send(conductor: &Conductor, holder: &str, broker: &mut Broker<'_>) -> Result<()> {
    loop {
        let waiting = store::waiting(&conductor.db, BATCH).await?;
        if waiting.is_empty()
            || !lease::store::try_acquire(&conductor.db, "notifications", holder, now(), now() + LEASE).await?
        {
            return Ok(());
        }
        let sent = tokio::time::timeout(PATIENCE, broker.publish(&waiting)).await;
        let sent = sent.map_err(|_| Error::unavailable("RabbitMQ").because("no answer in time"))?;
        sent.map_err(|error| Error::unavailable("RabbitMQ").because(error))?;
        let ids: Vec<_> = waiting.iter().map(|event| event.id).collect();
        store::delete(&conductor.db, &ids).await?;
        tracing::debug!(count = ids.len(), "notifications sent");
    }
}

/// Drops what waits too long, or is too much.
async fn bound(conductor: &Conductor, options: &Notifications) -> Result<()> {
    let before = now() - TimeDelta::hours(options.keep_hours.into());
    let dropped = store::prune(&conductor.db, before, options.keep_count.into()).await?;
    if dropped > 0 {
        tracing::warn!(dropped, "the broker was away for too long: the oldest notifications are dropped");
    }
    Ok(())
}

/// The broker, and the connection to it.
struct Broker<'a> {
    options: &'a Notifications,
    address: AMQPUri,
    publisher: String,
    /// Dropping it closes it.
    open: Option<(Connection, Channel)>,
}

impl Broker<'_> {
    /// Publishes the events in order, and returns when the broker has confirmed them all.
    async fn publish(&mut self, events: &[Notification]) -> Result<(), lapin::Error> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some((_, channel)) = &self.open else { return Ok(()) };
        let mut confirmations = Vec::with_capacity(events.len());
        for event in events {
            let confirmation = channel
                .basic_publish(
                    self.options.exchange.as_str().into(),
                    self.key(&event.priority.to_lowercase()).into(),
                    // The broker confirms what it drops for want of a queue, too; so it is told to give that back.
                    BasicPublishOptions { mandatory: true, ..Default::default() },
                    envelope(event, &self.publisher).as_bytes(),
                    BasicProperties::default()
                        .with_content_type("application/json".into())
                        .with_content_encoding("utf-8".into())
                        .with_delivery_mode(PERSISTENT),
                )
                .await?;
            confirmations.push(confirmation);
        }
        for confirmation in confirmations {
            match confirmation.await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(_)) => {
                    return Err(std::io::Error::other("no queue holds notifications any more").into());
                }
                _ => return Err(std::io::Error::other("the broker did not take a notification").into()),
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<(Connection, Channel), lapin::Error> {
        let authority = match &self.options.cafile {
            Some(path) => Some(tokio::fs::read_to_string(path).await?),
            None => None,
        };
        let connection = Connection::connect_uri_with_config(
            self.address.clone(),
            ConnectionProperties::default().with_connection_name("jeroboam".into()),
            OwnedTLSConfig { identity: None, cert_chain: authority },
            default_runtime()?,
        )
        .await?;
        self.prepare_exchange(&connection).await?;
        for priority in PRIORITIES {
            self.prepare_queue(&connection, &self.key(priority)).await?;
        }
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        tracing::info!(exchange = self.options.exchange, "connected to the broker of notifications");
        Ok((connection, channel))
    }

    /// Makes sure that the exchange is there; one that is, however it was made, is used as it is.
    async fn prepare_exchange(&self, connection: &Connection) -> Result<(), lapin::Error> {
        let declare = async |passive| {
            // A refusal ends its channel.
            let channel = connection.create_channel().await?;
            let options = ExchangeDeclareOptions { passive, durable: self.options.durable, ..Default::default() };
            let name = self.options.exchange.as_str().into();
            channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default()).await
        };
        match declare(true).await {
            Ok(()) => Ok(()),
            Err(_) => declare(false).await,
        }
    }

    /// Makes sure that a queue holds the events until somebody reads them, as oslo.messaging does.
    async fn prepare_queue(&self, connection: &Connection, name: &str) -> Result<(), lapin::Error> {
        let declare = async |passive| {
            let channel = connection.create_channel().await?;
            let options = QueueDeclareOptions { passive, durable: self.options.durable, ..Default::default() };
            channel.queue_declare(name.into(), options, FieldTable::default()).await?;
            let exchange = self.options.exchange.as_str().into();
            channel
                .queue_bind(name.into(), exchange, name.into(), QueueBindOptions::default(), FieldTable::default())
                .await
        };
        match declare(true).await {
            Ok(()) => Ok(()),
            Err(_) => declare(false).await,
        }
    }

    fn key(&self, priority: &str) -> String {
        format!("{}.{priority}", self.options.topic)
    }
}

/// AMQP's word for a message that survives a restart of the broker, in a durable queue.
const PERSISTENT: u8 = 2;

/// The event in oslo.messaging's envelope, whose message is JSON inside JSON.
fn envelope(event: &Notification, publisher: &str) -> String {
    let mut message = event.context.clone();
    let about = json!({
        "message_id": event.message_id,
        "publisher_id": publisher,
        "event_type": event.event_type,
        "priority": event.priority,
        "payload": event.payload,
        "timestamp": event.created_at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        // Readers drop what they have read under it before.
        "_unique_id": event.message_id.replace('-', ""),
    });
    if let (Some(message), serde_json::Value::Object(about)) = (message.as_object_mut(), about) {
        message.extend(about);
    }
    json!({"oslo.version": "2.0", "oslo.message": message.to_string()}).to_string()
}
