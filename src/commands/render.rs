//! `jeroboam render`: the stack of a cluster as Heat receives it, secrets masked.

use conductor::{Conductor, Config};
use serde_json::json;

pub(crate) async fn run(config: Config, cluster: &str) -> anyhow::Result<()> {
    let conductor = Conductor::open(config).await?;
    let (name, mut stack) = conductor::cluster::render(&conductor, cluster).await?;
    stack.hidden.values_mut().for_each(|secret| "***".clone_into(secret));
    let body = json!({
        "stack_name": name,
        "template": stack.template,
        "files": stack.files,
        "environment": stack.environment(),
        "timeout_mins": stack.timeout_mins,
    });
    super::say(&mut std::io::stdout(), &format!("{body:#}\n"));
    Ok(())
}
