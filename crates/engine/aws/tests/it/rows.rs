//! The policy language as tables: `rows/*.txt`, a decision a line, beneath the page of AWS's documents that says so.
//!
//! `scene KEY=VALUE…` sets the request's keys for what follows (`|` between several values); then
//! `if CONDITION => yes | no | refused TEXT`,
//! `may STATEMENT | ACTION | RESOURCE => allowed | implicit | explicit | refused TEXT` (`old`: of version 2008-10-17),
//! `document NAME STATEMENT` and `order KIND=NAME… | ACTION => …`,
//! `trust user|role STATEMENT => none | account | role | direct | denied | refused`.

use std::collections::BTreeMap;
use std::sync::Arc;

use eksile_aws::policy::{Context, Decision, Denial, Document, Kind, Question, Trust, decide, trusts};
use eksile_aws::{Caller, Policies, Principal};

const FILES: &[(&str, &str)] = &[
    ("conditions", include_str!("rows/conditions.txt")),
    ("statements", include_str!("rows/statements.txt")),
    ("order", include_str!("rows/order.txt")),
];

#[derive(Default)]
struct Table {
    scene: Context,
    documents: BTreeMap<String, Arc<Document>>,
    rows: usize,
    wrong: Vec<String>,
}

#[test]
fn every_row_of_the_tables_is_decided_as_aws_decides_it() {
    let mut table = Table::default();
    for (file, text) in FILES {
        for (number, line) in text.lines().enumerate() {
            if let Some(why) = table.read(line) {
                table.wrong.push(format!("{file}.txt:{}: {line}\n    {why}", number + 1));
            }
        }
    }
    assert!(table.wrong.is_empty(), "{} wrong:\n{}", table.wrong.len(), table.wrong.join("\n"));
    assert!(table.rows >= 300, "{} rows", table.rows);
}

fn document(version: &str, statement: &str) -> Result<Document, String> {
    let text = format!(r#"{{"Version":"{version}","Statement":[{{{statement}}}]}}"#);
    Document::identity(&text).map_err(|error| format!("refused {error}"))
}

impl Table {
    /// What is wrong with a line.
    fn read(&mut self, line: &str) -> Option<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" | "##" => return None,
            "scene" => {
                self.scene = scene(rest);
                return None;
            }
            "document" => {
                let (name, statement) = rest.split_once(' ').unwrap();
                let statement = statement.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
                let document = document("2012-10-17", statement).unwrap();
                self.documents.insert(name.to_owned(), Arc::new(document));
                return None;
            }
            _ => {}
        }
        self.rows += 1;
        let (asked, expected) = rest.rsplit_once(" => ").unwrap();
        let got = match word {
            "if" => self.condition(asked),
            "may" => self.statement("2012-10-17", asked),
            "old" => self.statement("2008-10-17", asked),
            "order" => self.order(asked),
            "trust" => self.trust(asked),
            other => panic!("{other} is no word of the tables"),
        };
        let got = got.unwrap_or_else(|refusal| refusal);
        let right = match expected.strip_prefix("refused") {
            Some(text) => got.starts_with("refused") && got.contains(text.trim()),
            None => got == expected,
        };
        (!right).then(|| format!("is: {got}"))
    }

    fn condition(&self, condition: &str) -> Result<String, String> {
        let statement = format!(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}"#);
        let decision = self.decided(document("2012-10-17", &statement)?, "a:B", "*");
        Ok(if decision == Decision::Allowed { "yes" } else { "no" }.to_owned())
    }

    fn statement(&self, version: &str, row: &str) -> Result<String, String> {
        let parts: Vec<&str> = row.split(" | ").collect();
        let [statement, action, resource] = parts[..] else { panic!("{row}") };
        Ok(match self.decided(document(version, statement)?, action, resource) {
            Decision::Allowed => "allowed",
            Decision::Denied(Denial::Explicit(_)) => "explicit",
            Decision::Denied(_) => "implicit",
        }
        .to_owned())
    }

    fn decided(&self, document: Document, action: &str, resource: &str) -> Decision {
        let policies = Policies { identity: vec![Arc::new(document)], ..Policies::default() };
        decide(&policies, &Question { action, resource, context: &self.scene }, Trust::None)
    }

    fn order(&self, row: &str) -> Result<String, String> {
        let (given, action) = row.split_once(" | ").unwrap();
        let (mut policies, mut granted) = (Policies::default(), Trust::None);
        for (kind, names) in given.split(' ').filter_map(|pair| pair.split_once('=')) {
            let documents = names.split(',').map(|name| self.documents.get(name).cloned());
            match kind {
                "identity" => policies.identity = documents.map(Option::unwrap).collect(),
                "session" => policies.session = documents.map(Option::unwrap).collect(),
                "boundary" => policies.boundary = documents.map(Option::unwrap).next(),
                _ => granted = trust(names),
            }
        }
        let question = Question { action, resource: "arn:aws:iam::111122223333:role/x", context: &self.scene };
        Ok(match decide(&policies, &question, granted) {
            Decision::Allowed => "allowed",
            Decision::Denied(Denial::NoIdentityPolicy) => "no identity",
            Decision::Denied(Denial::NoBoundary) => "no boundary",
            Decision::Denied(Denial::NoSessionPolicy) => "no session",
            Decision::Denied(Denial::Explicit(Kind::Identity)) => "explicit identity",
            Decision::Denied(Denial::Explicit(Kind::Boundary)) => "explicit boundary",
            Decision::Denied(Denial::Explicit(Kind::Session)) => "explicit session",
            Decision::Denied(Denial::Explicit(Kind::Resource)) => "explicit resource",
        }
        .to_owned())
    }

    fn trust(&self, row: &str) -> Result<String, String> {
        let (who, statement) = row.split_once(' ').unwrap();
        let default = |name: &str, member: &str| {
            if statement.contains(&format!("\"{name}\":")) { String::new() } else { format!(",{member}") }
        };
        let effect = default("Effect", r#""Effect":"Allow""#);
        let action = default("Action", r#""Action":"sts:AssumeRole""#);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}{effect}{action}}}]}}"#);
        let document = Document::trust(&text).map_err(|error| format!("refused {error}"))?;
        let question = Question { action: "sts:AssumeRole", resource: "*", context: &self.scene };
        let caller = if who == "role" { role() } else { user() };
        Ok(match trusts(&document, &caller, &question) {
            Trust::Denied => "denied",
            Trust::None => "none",
            Trust::Account => "account",
            Trust::Role => "role",
            Trust::Direct => "direct",
        }
        .to_owned())
    }
}

fn scene(text: &str) -> Context {
    let mut scene = Context::default();
    for (key, values) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
        scene.set_all(key, values.split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect());
    }
    scene
}

fn trust(word: &str) -> Trust {
    match word {
        "denied" => Trust::Denied,
        "none" => Trust::None,
        "account" => Trust::Account,
        "role" => Trust::Role,
        "direct" => Trust::Direct,
        other => panic!("{other}"),
    }
}

fn user() -> Caller {
    Caller {
        account: "111122223333".into(),
        arn: "arn:aws:iam::111122223333:user/a/dev".into(),
        user_id: "AIDADEVDEVDEVDEVDEV00".into(),
        access_key_id: String::new(),
        principal: Principal::User { name: "dev".into() },
    }
}

fn role() -> Caller {
    Caller {
        account: "111122223333".into(),
        arn: "arn:aws:sts::111122223333:assumed-role/dev/s".into(),
        user_id: "AROADEVDEVDEVDEVDEV00:s".into(),
        access_key_id: String::new(),
        principal: Principal::Role {
            name: "dev".into(),
            role_arn: "arn:aws:iam::111122223333:role/team/dev".into(),
            session: "s".into(),
            policies: Vec::new(),
            facts: Box::default(),
        },
    }
}
