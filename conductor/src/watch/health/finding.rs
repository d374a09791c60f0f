//! What a look at a cluster says about its health.

use std::time::Duration;

use drivers::Probe;
use futures::future::join_all;

use crate::cluster::HealthStatus;
use crate::column::StringMap;
use crate::docker::link::Endpoint;
use crate::docker::{Fault, Member, probe};

/// Nodes shown at most.
const SHOWN: usize = 500;

/// What a look found: `api` and `<node>.Ready` (and so on) to what is so.
pub(super) type Finding = (HealthStatus, StringMap);

/// It cannot be known, for this reason.
pub(super) fn unknown(why: &str) -> Finding {
    (HealthStatus::Unknown, StringMap::from([("api", why)]))
}

/// Nobody told what its nodes are like: a refusal is the cluster's own word, anything else says nothing about it.
pub(super) fn of_fault(fault: &Fault) -> Finding {
    match fault {
        Fault::Unreachable(why) => unknown(why),
        Fault::Refused(why) => (HealthStatus::Unhealthy, StringMap::from([("api", why.as_str())])),
    }
}

/// What a Swarm says about its nodes: well when all are ready, and each manager reaches the others.
pub(super) fn of_members(members: &[Member]) -> Finding {
    let managers = members.iter().filter_map(|member| member.manager);
    let (reachable, all) = managers.fold((0, 0), |(reachable, all), is| (reachable + usize::from(is), all + 1));
    let api = if reachable * 2 > all {
        "ok".to_owned()
    } else {
        format!("The Swarm has no majority of its managers: {reachable} of {all} reachable")
    };
    let mut well = api == "ok";
    let mut reason = StringMap::from([("api", api.as_str())]);
    for member in members {
        let told = [("Ready", Some(member.ready)), ("Reachable", member.manager)];
        for (what, is) in told.into_iter().filter_map(|(what, is)| Some((what, is?))) {
            well &= is;
            // Two of one name: the one that is not well is what somebody should see.
            let is = |before: Option<&String>| is && before.is_none_or(|before| before == "True");
            let key = format!("{}.{what}", member.name);
            if reason.len() < SHOWN || reason.contains_key(&key) {
                let text = if is(reason.get(&key)) { "True" } else { "False" };
                reason.insert(key, text.to_owned());
            }
        }
    }
    (if well { HealthStatus::Healthy } else { HealthStatus::Unhealthy }, reason)
}

/// What the probes say: well when all answer 200; one that answers otherwise is the cluster's own word.
pub(super) async fn of_probes(probes: &[Probe], host: &str, deadline: Duration) -> Finding {
    let asked = join_all(probes.iter().map(|of| async {
        let endpoint = Endpoint { host: host.to_owned(), port: of.port };
        (of.name, probe(&endpoint, of.path, deadline).await)
    }));
    let (mut answered, mut refused) = (true, false);
    let mut reason = StringMap::default();
    for (name, answer) in asked.await {
        let text = match answer {
            Ok(200) => "True".to_owned(),
            Ok(status) => {
                refused = true;
                format!("False: it answers {status}")
            }
            Err(fault) => {
                answered = false;
                fault.to_string()
            }
        };
        reason.insert(name.to_owned(), text);
    }
    let status = match (refused, answered) {
        (true, _) => HealthStatus::Unhealthy,
        (false, true) => HealthStatus::Healthy,
        (false, false) => HealthStatus::Unknown,
    };
    reason.insert("api".to_owned(), if answered && !refused { "ok" } else { "not all of it answers well" }.to_owned());
    (status, reason)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn member(name: &str, ready: bool, manager: Option<bool>) -> Member {
        Member::sample(name, ready, manager)
    }

    fn text(finding: &Finding) -> String {
        let told: Vec<_> = finding.1.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {}", finding.0, told.join(" "))
    }

    #[test]
    fn a_swarm_is_well_when_every_node_is() {
        let well = [member("m-0", true, Some(true)), member("w-0", true, None)];
        assert_eq!(text(&of_members(&well)), "HEALTHY api=ok m-0.Reachable=True m-0.Ready=True w-0.Ready=True");
        let worker = [member("m-0", true, Some(true)), member("w-0", false, None)];
        assert_eq!(text(&of_members(&worker)), "UNHEALTHY api=ok m-0.Reachable=True m-0.Ready=True w-0.Ready=False");
    }

    #[test]
    fn one_manager_of_three_may_be_away_and_two_may_not() {
        let mut members =
            [member("a", true, Some(true)), member("b", true, Some(true)), member("c", true, Some(false))];
        let (status, reason) = of_members(&members);
        assert_eq!((status, reason["api"].as_str()), (HealthStatus::Unhealthy, "ok"));
        members[1].manager = Some(false);
        let (status, reason) = of_members(&members);
        assert_eq!(status, HealthStatus::Unhealthy);
        assert_eq!(reason["api"], "The Swarm has no majority of its managers: 1 of 3 reachable");
    }

    #[test]
    fn of_two_with_one_name_the_worse_is_shown() {
        for order in [[true, false], [false, true]] {
            let members = order.map(|ready| member("w-0", ready, None));
            let told = of_members(&[&members[..], &[member("m", true, Some(true))]].concat());
            assert_eq!((told.0, told.1["w-0.Ready"].as_str()), (HealthStatus::Unhealthy, "False"));
        }
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let members: Vec<_> = (0..2000).map(|n| member(&format!("w-{n}"), true, None)).collect();
        assert_eq!(of_members(&members).1.len(), SHOWN);
    }

    #[test]
    fn only_the_clusters_own_word_is_unhealthy() {
        assert_eq!(of_fault(&Fault::Unreachable("x".into())).0, HealthStatus::Unknown);
        assert_eq!(of_fault(&Fault::Refused("no leader".into())).0, HealthStatus::Unhealthy);
        assert_eq!(of_fault(&Fault::Refused("no leader".into())).1["api"], "no leader");
    }

    /// Answers every request with that status; gives its port.
    async fn server(status: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /ping HTTP/1.1\r\n"));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn probes_tell_a_sick_part_from_one_that_cannot_be_asked() {
        let (well, sick) = (server("200 OK").await, server("503 Service Unavailable").await);
        let probe = |name, port| Probe { name, port, path: "/ping" };
        let deadline = Duration::from_secs(5);
        let all = of_probes(&[probe("a", well), probe("b", well)], "127.0.0.1", deadline).await;
        assert_eq!(text(&all), "HEALTHY a=True api=ok b=True");
        let one = of_probes(&[probe("a", well), probe("b", sick)], "127.0.0.1", deadline).await;
        assert_eq!(text(&one), "UNHEALTHY a=True api=not all of it answers well b=False: it answers 503");
        let none = of_probes(&[probe("a", well), probe("b", 1)], "127.0.0.1", deadline).await;
        assert_eq!(none.0, HealthStatus::Unknown);
        assert!(none.1["b"].starts_with("127.0.0.1:1: "), "{none:?}");
    }
}
