use eksile_aws::policy::{Document, Trust, trusts};
use eksile_aws::{Call, Caller, Command, Fault, Guard, Principal, Reads, SessionFacts, Shape};
use eksile_store::{Scope, Txn};
use jiff::{SignedDuration, Timestamp};

use crate::directory::text_in_force;
use crate::records::Role;
use crate::sessions::{Credentials, Opening, open};
use crate::{find, names};

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
#[derive(Shape)]
pub(super) struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<i64>,
    external_id: Option<String>,
    policy: Option<String>,
    policy_arns: Vec<PolicyArn>,
}

#[derive(Shape)]
struct PolicyArn {
    arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    credentials: Told,
    assumed_role_user: AssumedRole,
    packed_policy_size: Option<i64>,
}

#[derive(Shape)]
struct Told {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Timestamp,
}

#[derive(Shape)]
struct AssumedRole {
    assumed_role_id: String,
    arn: String,
}

impl Command for AssumeRole {
    type Output = Output;

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.role_arn.clone()]
    }

    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        let external = self.external_id.iter().map(|id| ("sts:ExternalId".to_owned(), vec![id.clone()]));
        external.chain([("sts:RoleSessionName".to_owned(), vec![self.role_session_name.clone()])]).collect()
    }

    /// A trust policy that names a caller of the same account is grant enough.
    fn guard(&self, call: &Call<'_>, state: Reads<'_>) -> Guard {
        match find::role_by_arn(state, &self.role_arn) {
            Ok(Some((scope, role)))
                if scope.account == call.caller.account && self.trust(&role, call) == Trust::Direct =>
            {
                Guard::Granted
            }
            _ => Guard::Policies,
        }
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("roleSessionName", &self.role_session_name, 64)?;
        let found = find::role_by_arn(Reads::of(txn), &self.role_arn)?;
        let Some((scope, role)) = found.filter(|(_, role)| self.trust(role, call) > Trust::None) else {
            return Err(self.denied(call.caller));
        };
        if call.caller.is_root() {
            return Err(Fault::client("AccessDenied", 403, "Roles may not be assumed by root accounts."));
        }
        let lifetime = self.lifetime(&role, call.caller)?;
        let policies = self.policies(Reads::of(txn))?;
        let packed_policy_size = (!policies.is_empty()).then_some(1);
        let name = &self.role_session_name;
        let facts = SessionFacts::default();
        let opening = Opening { scope: &scope, role: &role, name, lifetime, policies, facts };
        let credentials = open(txn, call.mint, call.wall, opening)?;
        let assumed_role_user = AssumedRole::of(&scope, &role, name);
        Ok(Output { credentials: Told::of(credentials), assumed_role_user, packed_policy_size })
    }
}

impl AssumeRole {
    fn trust(&self, role: &Role, call: &Call<'_>) -> Trust {
        // Checked when it came in.
        let Ok(document) = Document::trust(&role.trust) else { return Trust::None };
        let mut context = call.context();
        for (key, values) in self.conditions(call) {
            context.set_all(&key, values);
        }
        trusts(&document, call.caller, "sts:AssumeRole", &context)
    }

    fn denied(&self, caller: &Caller) -> Fault {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {}", caller.arn, self.role_arn);
        Fault::client("AccessDenied", 403, message)
    }

    fn lifetime(&self, role: &Role, caller: &Caller) -> Result<SignedDuration, Fault> {
        let seconds = self.duration_seconds.unwrap_or(3600);
        let chained = matches!(caller.principal, Principal::Role { .. });
        let problem = if !(900..=43200).contains(&seconds) {
            format!("Value '{seconds}' at 'durationSeconds' must be between 900 and 43200")
        } else if chained && seconds > 3600 {
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                .to_owned()
        } else if seconds > role.max_session {
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned()
        } else {
            return Ok(SignedDuration::from_secs(seconds));
        };
        Err(Fault::client("ValidationError", 400, problem))
    }

    /// The session policies' documents, as they are now.
    fn policies(&self, state: Reads<'_>) -> Result<Vec<String>, Fault> {
        let mut documents = Vec::new();
        if let Some(document) = &self.policy {
            find::document(document, find::Place::Session)?;
            documents.push(document.clone());
        }
        for policy in &self.policy_arns {
            let Some(document) = text_in_force(state, &policy.arn)? else {
                let message = format!("Policy {} does not exist.", policy.arn);
                return Err(Fault::client("MalformedPolicyDocument", 400, message));
            };
            documents.push(document);
        }
        Ok(documents)
    }
}

impl Told {
    fn of(credentials: Credentials) -> Self {
        Self {
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key,
            session_token: credentials.session_token,
            expiration: credentials.expiration,
        }
    }
}

impl AssumedRole {
    fn of(scope: &Scope, role: &Role, session: &str) -> Self {
        Self {
            assumed_role_id: format!("{}:{session}", role.role_id),
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{session}", scope.account, role.name),
        }
    }
}
