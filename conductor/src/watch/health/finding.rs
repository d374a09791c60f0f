//! What a look at a cluster says about its health.

use std::collections::BTreeMap;

use crate::cluster::HealthStatus;
use crate::column::StringMap;
use crate::docker::Member;
use crate::link::Fault;
use crate::mesos::{Agent, attribute};

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

/// What masters of Mesos and the services beside them say: well when the leading one knows every agent that there should
/// be and all take tasks, and whatever answers on its own health says that it is well.
///
/// `agents` are those that the leading master knows, `workers` how many there should be by nodegroup, `masters` and
/// `services` the statuses by which each answers on its health. A master that is silent while another answers at its own
/// address is not well; where only a load balancer can be reached, and for services, whose ports are not open to
/// everybody, silence says nothing.
pub(super) fn of_masters(
    agents: Result<&[Agent], &Fault>,
    workers: &[(String, u32)],
    masters: &[(String, Result<u16, Fault>)],
    services: &[(&str, Result<u16, Fault>)],
) -> Finding {
    let mut found = match agents {
        Ok(_) => (HealthStatus::Healthy, StringMap::from([("api", "ok")])),
        Err(fault) => of_fault(fault),
    };
    let open = masters.iter().any(|(_, answer)| answer.is_ok());
    let masters = masters.iter().map(|(address, answer)| (format!("{address}.Healthy"), answer, open));
    let services = services.iter().map(|(name, answer)| ((*name).to_owned(), answer, false));
    for (key, answer, silence_counts) in masters.chain(services) {
        match answer {
            Ok(200) => tell(&mut found, &key, None),
            Ok(status) => tell(&mut found, &key, Some(format!("it answers {status}"))),
            Err(fault) if silence_counts => tell(&mut found, &key, Some(fault.to_string())),
            Err(fault) => drop(found.1.insert(key, format!("Unknown: {fault}"))),
        }
    }
    if let Ok(agents) = agents {
        of_agents(&mut found, agents, workers);
    }
    found
}

fn of_agents(found: &mut Finding, agents: &[Agent], workers: &[(String, u32)]) {
    let mut groups: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (name, wanted) in workers {
        groups.entry(attribute(name)).or_default().0 += wanted;
    }
    for agent in agents.iter().filter(|agent| agent.active) {
        if let Some((_, there)) = groups.get_mut(&agent.nodegroup) {
            *there += 1;
        }
    }
    for (name, (wanted, there)) in groups {
        let less = (there < wanted).then(|| format!("{there} of {wanted} take tasks"));
        tell(found, &format!("{name}.Agents"), less);
    }
    for agent in agents {
        if found.1.len() < SHOWN || !agent.active {
            tell(found, &format!("{}.Ready", agent.name), (!agent.active).then(|| "it takes no tasks".to_owned()));
        }
    }
}

/// Adds that something is well, or why it is not. Where two have one name, the one that is not well is shown.
fn tell(found: &mut Finding, key: &str, wrong: Option<String>) {
    if wrong.is_some() && found.0 == HealthStatus::Healthy {
        found.0 = HealthStatus::Unhealthy;
    }
    let known = found.1.get(key);
    if (found.1.len() >= SHOWN && known.is_none()) || known.is_some_and(|known| known != "True") {
        return;
    }
    let text = wrong.map_or_else(|| "True".to_owned(), |why| format!("False: {why}"));
    found.1.insert(key.to_owned(), text);
}

#[cfg(test)]
mod tests {
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

    fn away() -> Fault {
        Fault::Unreachable("10.0.0.9:5050: no connection".to_owned())
    }

    #[test]
    fn mesos_is_well_when_every_agent_takes_tasks_and_every_master_says_so() {
        let agents = [Agent::sample("w-0", "default-worker", true), Agent::sample("g-0", "gp_", true)];
        let workers = [("default-worker".to_owned(), 1), ("gpü".to_owned(), 0), ("gp/".to_owned(), 1)];
        let masters = [("10.0.0.5".to_owned(), Ok(200))];
        let told = |agents: &[Agent], masters: &[_], services: &[_]| {
            text(&of_masters(Ok(agents), &workers, masters, services))
        };
        assert_eq!(
            told(&agents, &masters, &[("marathon", Ok(200))]),
            "HEALTHY 10.0.0.5.Healthy=True api=ok default-worker.Agents=True g-0.Ready=True gp_.Agents=True \
             gp__.Agents=True marathon=True w-0.Ready=True"
        );
        let missing = told(&agents[1..], &masters, &[]);
        assert!(missing.starts_with("UNHEALTHY "), "{missing}");
        assert!(missing.contains("default-worker.Agents=False: 0 of 1 take tasks"), "{missing}");
        let away_from_work = [Agent::sample("w-0", "default-worker", false), agents[1].clone()];
        let one = told(&away_from_work, &masters, &[]);
        assert!(one.starts_with("UNHEALTHY ") && one.contains("w-0.Ready=False: it takes no tasks"), "{one}");
        let sick = told(&agents, &[("10.0.0.5".to_owned(), Ok(503))], &[]);
        assert!(sick.starts_with("UNHEALTHY 10.0.0.5.Healthy=False: it answers 503 "), "{sick}");
        let marathon = told(&agents, &masters, &[("marathon", Ok(502))]);
        assert!(
            marathon.starts_with("UNHEALTHY ") && marathon.contains("marathon=False: it answers 502"),
            "{marathon}"
        );
    }

    #[test]
    fn silence_counts_where_others_are_heard_at_their_own_address() {
        let masters = |first: Result<u16, Fault>| [("a".to_owned(), first), ("b".to_owned(), Err(away()))];
        let told = |masters: &[_], services: &[_]| text(&of_masters(Ok(&[]), &[], masters, services));
        let one = told(&masters(Ok(200)), &[]);
        assert!(one.starts_with("UNHEALTHY a.Healthy=True ") && one.contains("b.Healthy=False: 10.0.0.9"), "{one}");
        let balanced = told(&masters(Err(away())), &[("marathon", Err(away()))]);
        assert!(balanced.starts_with("HEALTHY a.Healthy=Unknown: 10.0.0.9"), "{balanced}");
        assert!(balanced.contains("marathon=Unknown: 10.0.0.9"), "{balanced}");
        let nobody = of_masters(Err(&away()), &[("w".to_owned(), 1)], &masters(Err(away())), &[]);
        assert_eq!((nobody.0, nobody.1.len()), (HealthStatus::Unknown, 3), "{nobody:?}");
        let refused = Fault::Refused("No master leads the others".to_owned());
        let leaderless = text(&of_masters(Err(&refused), &[], &masters(Ok(200)), &[]));
        assert!(leaderless.starts_with("UNHEALTHY ") && leaderless.contains("api=No master leads"), "{leaderless}");
    }

    #[test]
    fn what_is_shown_of_agents_is_bounded() {
        let mut agents: Vec<_> = (0..2000).map(|n| Agent::sample(&format!("w-{n}"), "w", true)).collect();
        agents.push(Agent::sample("last", "w", false));
        let found = of_masters(Ok(&agents), &[], &[], &[]);
        assert_eq!((found.0, found.1.len()), (HealthStatus::Unhealthy, SHOWN));
    }
}
