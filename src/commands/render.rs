//! `jeroboam render`: the stack of a cluster as Heat receives it, secrets masked.

use conductor::{Conductor, Config};
use serde_json::{Value, json};

pub(crate) async fn run(config: Config, cluster: &str) -> anyhow::Result<()> {
    let conductor = Conductor::open(config).await?;
    let (name, stack) = conductor::cluster::render(&conductor, cluster).await?;
    let mut parameters = stack.parameters.clone();
    for key in stack.hidden.keys() {
        parameters.insert(key.clone(), Value::from("***"));
    }
    let body = json!({
        "stack_name": name,
        "template": stack.template,
        "files": stack.files,
        "parameters": parameters,
        "timeout_mins": stack.timeout_mins,
    });
    super::say(&mut std::io::stdout(), &format!("{body:#}\n"));
    Ok(())
}
