//! Hugging Face's hub: the files of a model and their sizes, its `config.json`, and the commit that they are of.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::http::{Answer, Client, Failure};
use super::listing::{card_text, files_of, is_commit};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::preset::Repository;
use crate::secrets::Secret;

/// The pages of a list of files that are read, each of up to a thousand files.
const MOST_PAGES: usize = 100;

/// A hub, and who asks it.
pub struct Hub(Client);

impl Hub {
    /// The hub at `endpoint`, asked with a token if there is one. `certificates` is a PEM file of authorities to trust instead
    /// of those of the web.
    ///
    /// # Errors
    /// The endpoint is no address, or one that a token can't be sent to; the certificates can't be read.
    pub fn new(endpoint: &str, token: Option<Secret>, certificates: Option<&Path>) -> Result<Self, Failure> {
        Client::new(endpoint, token, certificates).map(Self)
    }

    /// What the hub says of a model at a branch, tag or commit.
    ///
    /// # Errors
    /// The hub can't be reached, doesn't have the model, or doesn't show it.
    pub fn repository(&self, id: &str, revision: &str) -> Result<Repository, Failure> {
        let encoded: String = revision.replace('/', "%2F");
        let information = self.json(&format!("{}/api/models/{id}/revision/{encoded}", self.0.endpoint), id, revision)?.0;
        let text = |value: &Value| value.as_str().and_then(card_text);
        let Some(commit) = information["sha"].as_str().filter(|sha| is_commit(sha)) else {
            let finding = Diagnostic::error(format!("{} names no commit of {id}", self.0.endpoint));
            return Err(Box::new(finding.help("is it a hub with Hugging Face's API? see --endpoint")));
        };
        let card = &information["cardData"];
        let base_models = match &card["base_model"] {
            Value::Array(items) => items.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect(),
        };
        let license = text(&card["license"]).filter(|license| license != "other").or_else(|| text(&card["license_name"]));
        Ok(Repository {
            // The hub knows an id in any case, and says which one is the model's own.
            id: information["id"].as_str().filter(|own| own.eq_ignore_ascii_case(id)).unwrap_or(id).to_owned(),
            revision: Some(commit.to_owned()),
            license: license.or_else(|| text(&card["license"])),
            task: text(&information["pipeline_tag"]),
            base_models,
            gated: matches!(&information["gated"], Value::Bool(true) | Value::String(_)),
            files: self.files(id, commit)?,
            config: self.config(id, commit)?,
        })
    }

    fn files(&self, id: &str, commit: &str) -> Result<Vec<(String, u64)>, Failure> {
        let first = format!("{}/api/models/{id}/tree/{commit}?recursive=true", self.0.endpoint);
        let mut url = first.clone();
        let mut files = Vec::new();
        for _ in 0..MOST_PAGES {
            let (page, next) = self.json(&url, id, commit)?;
            files.extend(files_of(&page).ok_or_else(|| Box::new(strange(&url)))?);
            // Only the query is taken of the link, which may name a host that the hub itself is a mirror of.
            match next.as_deref().and_then(|link| link.split_once('?')) {
                Some((_, query)) => url = format!("{}?{query}", first.split('?').next().unwrap_or(&first)),
                None => return Ok(files),
            }
        }
        Err(Box::new(Diagnostic::error(format!("{id} has more than {MOST_PAGES},000 files"))))
    }

    /// `config.json`, or the `params.json` of models that have none.
    fn config(&self, id: &str, commit: &str) -> Result<Option<Arc<SourceFile>>, Failure> {
        for name in ["config.json", "params.json"] {
            let url = format!("{}/{id}/resolve/{commit}/{name}", self.0.endpoint);
            let answer = self.0.get(&url)?;
            if answer.status() == 404 {
                continue;
            }
            self.check(&answer, id, commit)?;
            let text = String::from_utf8(answer.body).map_err(|_| Box::new(Diagnostic::error(format!("{url} isn't UTF-8"))))?;
            return Ok(Some(SourceFile::new(url, text)));
        }
        Ok(None)
    }

    /// An answer in JSON, and the link to the next page.
    fn json(&self, url: &str, id: &str, revision: &str) -> Result<(Value, Option<String>), Failure> {
        let answer = self.0.get(url)?;
        self.check(&answer, id, revision)?;
        let next = answer.header("link").and_then(next_page);
        let value = serde_json::from_slice(&answer.body).map_err(|_| Box::new(strange(url)))?;
        Ok((value, next))
    }

    /// What is said of an answer that isn't one.
    fn check(&self, answer: &Answer, id: &str, revision: &str) -> Result<(), Failure> {
        let page = format!("{}/{id}", self.0.endpoint);
        let code = answer.header("x-error-code").unwrap_or_default();
        let accept = format!("accept its licence at {page}, and set HF_TOKEN to a token of that account");
        let finding = match answer.status() {
            200..=299 => return Ok(()),
            401 | 403 if self.0.token.is_some() => Diagnostic::error(format!("{id} isn't shown to the owner of HF_TOKEN"))
                .help(if code == "RepoNotFound" { format!("is there such a model? {accept}") } else { accept }),
            401 | 403 if code == "GatedRepo" => Diagnostic::error(format!("{id} is gated")).help(accept),
            401 | 403 => Diagnostic::error(format!("{id} is gated or private, or there is no such model")).help(accept),
            404 if code == "RevisionNotFound" => {
                Diagnostic::error(format!("{id} has no revision {revision}")).help(format!("{page}/commits/main lists the commits"))
            }
            404 => Diagnostic::error(format!("{} has no model {id}", self.0.endpoint))
                .help("an id is ORGANISATION/MODEL, as in the address of its page"),
            429 => {
                Diagnostic::error(format!("{} takes no more requests for now", self.0.endpoint)).help(match answer.header("retry-after") {
                    Some(seconds) if seconds.parse::<u64>().is_ok() => {
                        format!("try again in {seconds} seconds; with HF_TOKEN more are allowed")
                    }
                    _ => "try again later; with HF_TOKEN more are allowed".to_owned(),
                })
            }
            status => Diagnostic::error(format!("{} answers with status {status}", self.0.endpoint)).help("try again later"),
        };
        Err(Box::new(finding))
    }
}

/// What is said of an answer that isn't of the hub's form.
fn strange(url: &str) -> Diagnostic {
    Diagnostic::error(format!("the answer of {url} isn't what a hub answers")).help("is it a hub with Hugging Face's API? see --endpoint")
}

/// The address of the next page in a `Link` header.
fn next_page(header: &str) -> Option<String> {
    let links = header.split(',').filter(|link| link.contains("rel=\"next\""));
    links.filter_map(|link| link.split_once('<')?.1.split_once('>')).map(|(url, _)| url.to_owned()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page() {
        assert_eq!(next_page("<https://a.co/b?cursor=c>; rel=\"next\"").as_deref(), Some("https://a.co/b?cursor=c"));
        assert_eq!(next_page("<https://a.co/b>; rel=\"prev\""), None);
    }
}
