//! The `aws` command line, where there is one.

use std::process::Command;

use serde_json::Value;

/// A caller with a key, at an endpoint.
#[derive(Debug, Clone)]
pub struct AwsCli {
    endpoint: String,
    access_key_id: String,
    secret: String,
    session_token: Option<String>,
    region: String,
}

/// What a command ended with.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its output as JSON; null when it printed none.
    Done(Value),
    /// Its error text, such as `An error occurred (NoSuchEntity) when calling …`.
    Refused(String),
}

/// Says that a test is skipped and why, where the test's output is kept.
pub fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

impl AwsCli {
    /// Whether there is an `aws` on the path.
    #[must_use]
    pub fn is_there() -> bool {
        Command::new("aws").arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// A caller at an endpoint, in us-west-2.
    #[must_use]
    pub fn new(endpoint: &str, access_key_id: &str, secret: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            access_key_id: access_key_id.to_owned(),
            secret: secret.to_owned(),
            session_token: None,
            region: "us-west-2".to_owned(),
        }
    }

    /// The same, with temporary credentials' token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// The same, in another Region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    /// The environment that makes any AWS client be this caller, and no other.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_MAX_ATTEMPTS", "1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_PAGER", String::new()),
        ];
        environment.extend(self.session_token.iter().map(|token| ("AWS_SESSION_TOKEN", token.clone())));
        environment
    }

    /// Runs `aws` with these arguments.
    ///
    /// # Panics
    /// When the program cannot be started, or prints no JSON.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new("aws");
        command.env_remove("AWS_SESSION_TOKEN").env_remove("AWS_PROFILE").envs(self.environment());
        let output = command.args(arguments).args(["--output", "json"]).output().expect("aws starts");
        if !output.status.success() {
            return Outcome::Refused(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let json = if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON output") };
        Outcome::Done(json)
    }

    /// Runs a command that must succeed. Arguments are split at blanks.
    ///
    /// # Panics
    /// When it does not.
    pub fn done(&self, line: &str) -> Value {
        match self.run(&line.split_ascii_whitespace().collect::<Vec<_>>()) {
            Outcome::Done(json) => json,
            Outcome::Refused(error) => panic!("aws {line}: {error}"),
        }
    }

    /// Runs a command that must be refused with this code. Arguments are split at blanks.
    ///
    /// # Panics
    /// When it succeeds, or is refused with another code.
    pub fn refused(&self, code: &str, line: &str) -> String {
        match self.run(&line.split_ascii_whitespace().collect::<Vec<_>>()) {
            Outcome::Refused(error) if error.contains(&format!("({code})")) => error,
            other => panic!("aws {line}: expected {code}, got {other:?}"),
        }
    }
}
