use eksile_aws::inputs::Tag;
use eksile_aws::policy::{Context, Question, Trust, trusts};
use eksile_aws::{Ask, Call, Caller, Command, Fault, Principal, Reads, Shape};
use eksile_store::{Scope, Txn};
use jiff::{SignedDuration, Timestamp};

use crate::directory::{customer_managed, text_in_force};
use crate::managed::Managed;
use crate::records::Role;
use crate::sessions::{Credentials, Opening, open};
use crate::sts::tags::Asked;
use crate::{find, names, trust};

const ASSUME: &str = "sts:AssumeRole";

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
#[derive(Shape)]
pub(super) struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<i64>,
    external_id: Option<String>,
    policy: Option<String>,
    policy_arns: Vec<PolicyArn>,
    tags: Vec<Tag>,
    transitive_tag_keys: Vec<String>,
    source_identity: Option<String>,
}

#[derive(Shape)]
struct PolicyArn {
    #[shape(name = "arn")]
    arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    credentials: Told,
    assumed_role_user: AssumedRole,
    packed_policy_size: Option<i64>,
    source_identity: Option<String>,
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

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let found = find::role_by_arn(state, &self.role_arn)?;
        let ask = || {
            let ask = Ask::to(&*self.role_arn).requesting(self.tags.iter().map(|tag| (&tag.key, &tag.value)));
            match &found {
                Some((_, role)) => ask.tagged_as("iam:ResourceTag", &role.tags),
                None => ask,
            }
        };
        // Within an account, a trust policy that names the caller is grant enough, of what it names.
        let granted = |action| match &found {
            Some((scope, role)) => match self.trust(role, call, action, scope) {
                trust if scope.account == call.caller.account => trust,
                Trust::Denied => Trust::Denied,
                _ => Trust::None,
            },
            None => Trust::None,
        };
        let mut asks = vec![ask().granted(granted(ASSUME))];
        for action in self.further(call.caller) {
            asks.push(self.with_keys(ask()).action(action).granted(granted(action)));
        }
        Ok(asks)
    }

    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        self.keys()
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("roleSessionName", &self.role_session_name, 64)?;
        if self.role_session_name.len() < 2 {
            let message = "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must \
                           have length greater than or equal to 2";
            return Err(Fault::client("ValidationError", 400, message));
        }
        let found = find::role_by_arn(Reads::of(txn), &self.role_arn)?;
        let Some((scope, role)) = found else { return Err(self.denied(call.caller, ASSUME)) };
        for action in [ASSUME].into_iter().chain(self.further(call.caller)) {
            if self.trust(&role, call, action, &scope) <= Trust::None {
                return Err(self.denied(call.caller, action));
            }
        }
        if call.caller.is_root() {
            return Err(Fault::client("AccessDenied", 403, "Roles may not be assumed by root accounts."));
        }
        let lifetime = self.lifetime(&role, call.caller)?;
        let policies = self.policies(Reads::of(txn), &scope)?;
        let packed_policy_size = (!policies.is_empty()).then_some(1);
        let name = &self.role_session_name;
        let facts = self.asked().facts(call.caller)?;
        let source_identity = facts.source_identity.clone();
        let opening = Opening { scope: &scope, role: &role, name, lifetime, policies, facts };
        let credentials = open(txn, call.mint, call.wall, opening)?;
        let assumed_role_user = AssumedRole::of(&scope, &role, name);
        Ok(Output { credentials: Told::of(credentials), assumed_role_user, packed_policy_size, source_identity })
    }
}

impl AssumeRole {
    fn asked(&self) -> Asked<'_> {
        let source_identity = self.source_identity.as_deref();
        Asked { tags: &self.tags, transitive: &self.transitive_tag_keys, source_identity }
    }

    /// What the caller does besides assuming the role, and needs the same rights to, of both policies.
    fn further(&self, caller: &Caller) -> Vec<&'static str> {
        let asked = self.asked();
        let tagging = asked.tags_session(caller).then_some("sts:TagSession");
        tagging.into_iter().chain(asked.sets_identity(caller).then_some("sts:SetSourceIdentity")).collect()
    }

    /// The condition keys of this request.
    fn keys(&self) -> Vec<(String, Vec<String>)> {
        let one = |key: &str, value: &Option<String>| value.iter().map(|v| (key.to_owned(), vec![v.clone()])).next();
        let session = Some(("sts:RoleSessionName".to_owned(), vec![self.role_session_name.clone()]));
        let transitive = Some(("sts:TransitiveTagKeys".to_owned(), self.transitive_tag_keys.clone()));
        let external = one("sts:ExternalId", &self.external_id);
        [external, session, one("sts:SourceIdentity", &self.source_identity), transitive]
            .into_iter()
            .flatten()
            .collect()
    }

    fn with_keys(&self, ask: Ask) -> Ask {
        self.keys().into_iter().fold(ask, |ask, (key, values)| ask.keys_of(&key, values))
    }

    /// How far the role's own policy trusts the caller with an action.
    fn trust(&self, role: &Role, call: &Call<'_>, action: &str, scope: &Scope) -> Trust {
        let mut context = Context::over(call.context.clone());
        context.set("aws:ResourceAccount", &*scope.account);
        context.extend(self.with_keys(Ask::any()).keys().clone());
        let asked = Ask::any().requesting(self.tags.iter().map(|tag| (&tag.key, &tag.value)));
        context.extend(asked.tagged_as("iam:ResourceTag", &role.tags).keys().clone());
        trusts(&trust::document(role), call.caller, &Question { action, resource: &self.role_arn, context: &context })
    }

    fn denied(&self, caller: &Caller, action: &str) -> Fault {
        let message =
            format!("User: {} is not authorized to perform: {action} on resource: {}", caller.arn, self.role_arn);
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
    fn policies(&self, state: Reads<'_>, scope: &Scope) -> Result<Vec<String>, Fault> {
        let mut documents = Vec::new();
        if let Some(document) = &self.policy {
            find::document(document, find::Place::Session)?;
            documents.push(document.clone());
        }
        for policy in &self.policy_arns {
            let own = Managed::by_arn(&policy.arn).is_some()
                || customer_managed(&policy.arn).is_some_and(|(owner, _)| owner == *scope);
            let text = if own { text_in_force(state, &policy.arn)? } else { None };
            let Some(document) = text else {
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
