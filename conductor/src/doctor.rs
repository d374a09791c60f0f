//! What an operator asks first: is everything there that the service needs?

use std::future::Future;

use crate::openstack::heat;
use crate::{Conductor, Config, Result, database};

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found, or what to do.
    pub text: String,
}

/// Looks at the records, Keystone, Heat and the trustee domain.
///
/// # Errors
/// The configuration or the records cannot be opened at all.
pub async fn examine(config: Config) -> Result<Vec<Finding>> {
    let conductor = Conductor::open(config).await?;
    let trusts = conductor.config.trust.trustee_domain_admin_name.is_some();
    let mut findings = vec![
        look("database", database::ping(&conductor.db), |()| "answers; its schema is this version's".to_owned()).await,
        look("keystone", service_user(&conductor), |text| text).await,
        look("heat", stacks(&conductor), |text| text).await,
    ];
    if trusts {
        let domain = async { conductor.cloud.trustee_domain_admin().await.map(drop).map_err(Into::into) };
        findings.push(look("trust", domain, |()| "the trustee domain's administrator can log in".to_owned()).await);
    }
    Ok(findings)
}

async fn look<T>(what: &'static str, examine: impl Future<Output = Result<T>>, say: impl Fn(T) -> String) -> Finding {
    match examine.await {
        Ok(found) => Finding { what, ok: true, text: say(found) },
        Err(error) => Finding { what, ok: false, text: error.chain() },
    }
}

async fn service_user(conductor: &Conductor) -> Result<String> {
    let session = conductor.cloud.service().await?;
    let identity = session.identity();
    Ok(format!("logged in as {} with the roles {}", identity.user_name, identity.roles.join(", ")))
}

async fn stacks(conductor: &Conductor) -> Result<String> {
    let session = conductor.cloud.service().await?;
    match heat::page(&session, heat::Which::Tagged(&[]), true, 1, None).await {
        Ok(_) => Ok("answers and grants the global index: one listing covers all projects".to_owned()),
        Err(error) if heat::is_not_global(&error) => {
            heat::page(&session, heat::Which::Tagged(&[]), false, 1, None).await?;
            Ok("answers; the global index is not granted: one listing per project with work in flight".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}
