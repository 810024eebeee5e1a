//! `GET /v2/NAME/tags/list`.

use ::http::{HeaderValue, header};
use serde_json::json;

use super::access::Access;
use super::{Answer, Problem, Registry, json};
use crate::records::Tag;

impl Registry {
    /// Tags in order; `n` of them after `last`, with a link to the next ones.
    pub(super) fn tags(&self, access: &Access, repository: &str, query: Option<&str>) -> Answer {
        self.allow(access, "ecr:ListImages", repository)?;
        let (mut most, mut last) = (usize::MAX, String::new());
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "n" => most = value.parse().unwrap_or(usize::MAX),
                "last" => last = value.into_owned(),
                _ => {}
            }
        }
        let tags = self.store.view().records::<Tag>(&access.scope)?.into_iter();
        let mut tags: Vec<String> =
            tags.filter(|tag| tag.repository == repository && tag.tag > last).map(|tag| tag.tag).collect();
        tags.sort();
        let more = tags.len() > most;
        tags.truncate(most);
        let mut response = json(&json!({ "name": repository, "tags": tags }));
        if let Some(last) = tags.last().filter(|_| more) {
            let link = format!("</v2/{repository}/tags/list?n={most}&last={last}>; rel=\"next\"");
            let link = HeaderValue::from_str(&link).map_err(|_| Problem::NameInvalid)?;
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }
}
