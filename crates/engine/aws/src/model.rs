//! What AWS's API models say of every operation, built or not (`model/*.txt`, written by `model/update.py`).

use std::collections::HashMap;

/// A service that AWS has. Whether it is built is the door's matter.
#[derive(Debug)]
pub(crate) struct Model {
    operations: HashMap<&'static str, Facts>,
}

/// What the model says of one operation.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    /// Method and path template, in REST protocols.
    pub(crate) route: Option<Route>,
    /// Wire name of the idempotency token.
    pub(crate) token: Option<&'static str>,
    pub(crate) page: Option<Page>,
    /// Paths of the input's members, commas between; known for services of which something is built.
    members: &'static str,
}

/// `GET /clusters/{name}`.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    segments: Vec<&'static str>,
}

/// How a list is paged, in wire names.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) list: &'static str,
    pub(crate) input: &'static str,
    pub(crate) limit: &'static str,
    pub(crate) output: &'static str,
    /// A boolean beside the token, such as `IsTruncated`.
    pub(crate) more: Option<&'static str>,
    pub(crate) least: usize,
    pub(crate) most: usize,
}

macro_rules! texts {
    ($($file:literal),*) => {
        &[$(($file, include_str!(concat!("../model/", $file, ".txt")))),*]
    };
}

static TEXTS: &[(&str, &str)] = texts!(
    "acm",
    "autoscaling",
    "cloudformation",
    "cloudwatch",
    "ec2",
    "ecr",
    "eks",
    "eks-auth",
    "elb",
    "elbv2",
    "iam",
    "kms",
    "logs",
    "outposts",
    "route53",
    "ssm",
    "sts"
);

impl Facts {
    /// Paths of the input's members.
    pub(crate) fn members(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.members.split(',').filter(|member| !member.is_empty())
    }

    /// Whether the input has a member at that path of wire names, as in `Placement.Tenancy`. Lists and maps on the way
    /// add nothing to it.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.members.split(',').any(|member| member == path)
    }
}

impl Model {
    /// The model in `model/NAME.txt`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (_, text) = TEXTS.iter().find(|(file, _)| *file == name)?;
        let operations = text.lines().filter_map(facts).map(|facts| (facts.name, facts)).collect();
        Some(Self { operations })
    }

    pub(crate) fn operation(&self, name: &str) -> Option<&Facts> {
        self.operations.get(name)
    }

    /// The operation of a method and a raw path, and the path's labels, decoded.
    pub(crate) fn routed(&self, method: &str, path: &str) -> Option<(&Facts, Vec<(&'static str, String)>)> {
        let matching = self.operations.values().filter_map(|facts| {
            let route = facts.route.as_ref().filter(|route| route.method == method)?;
            Some((facts, route.labels(path)?))
        });
        // A literal segment beats a label: /addons/supported-versions beats /addons/{name}.
        matching.min_by_key(|(_, labels)| labels.len())
    }
}

fn facts(line: &'static str) -> Option<Facts> {
    let mut words = line.split(' ');
    let mut facts = Facts { name: words.next().filter(|name| !name.is_empty())?, ..Facts::default() };
    let mut words = words.peekable();
    if let Some(method) = words.next_if(|word| word.bytes().all(|byte| byte.is_ascii_uppercase())) {
        let path = words.next()?;
        facts.route = Some(Route { method, segments: segments(path).collect() });
    }
    for word in words {
        match word.split_once('=')? {
            ("token", name) => facts.token = Some(name),
            ("page", rule) => facts.page = page(rule),
            ("members", names) => facts.members = names,
            _ => return None,
        }
    }
    Some(facts)
}

fn page(rule: &'static str) -> Option<Page> {
    let mut fields = rule.split(',');
    Some(Page {
        list: fields.next()?,
        input: fields.next()?,
        limit: fields.next()?,
        output: fields.next()?,
        more: fields.next().filter(|more| !more.is_empty()),
        least: fields.next()?.parse().ok()?,
        most: fields.next()?.parse().ok()?,
    })
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

impl Route {
    /// Labels are matched on the raw path, so that an ARN's `%2F` stays within its segment. A greedy
    /// label (`{name+}`), always last, takes the rest.
    fn labels(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut labels = Vec::new();
        let mut given = segments(path);
        for segment in &self.segments {
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(label) => match label.strip_suffix('+') {
                    Some(greedy) => {
                        let rest = given.by_ref().collect::<Vec<_>>().join("/");
                        labels.push((greedy, decoded(&rest)?));
                    }
                    None => labels.push((label, decoded(given.next()?)?)),
                },
                None => (given.next()? == *segment).then_some(())?,
            }
        }
        given.next().is_none().then_some(labels)
    }
}

fn decoded(raw: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(raw).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_model_is_read() {
        for (name, text) in TEXTS {
            let model = Model::named(name).unwrap();
            assert_eq!(model.operations.len(), text.lines().count(), "{name}");
            for line in text.lines() {
                let facts = model.operation(line.split(' ').next().unwrap()).unwrap();
                assert_eq!(facts.token.is_some(), line.contains(" token="), "{line}");
                assert_eq!(facts.page.is_some(), line.contains(" page="), "{line}");
                assert_eq!(facts.members.is_empty(), !line.contains(" members="), "{line}");
                assert_eq!(facts.route.is_some(), line.contains(" /"), "{line}");
            }
        }
    }

    #[test]
    fn labels_come_from_the_raw_path() {
        let model = Model::named("eks").unwrap();
        let path = "/clusters/dev/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpath%2Fadmin";
        let (facts, labels) = model.routed("GET", path).unwrap();
        assert_eq!(facts.name, "DescribeAccessEntry");
        let arn = "arn:aws:iam::111122223333:role/path/admin".to_owned();
        assert_eq!(labels, [("clusterName", "dev".to_owned()), ("principalArn", arn)]);
        assert_eq!(model.routed("GET", "/addons/supported-versions").unwrap().0.name, "DescribeAddonVersions");
        assert!(model.routed("PATCH", "/clusters").is_none());
        assert!(model.routed("GET", "/clusters//access-entries/x").is_none());
    }
}
