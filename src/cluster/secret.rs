//! Secrets that this process reads for itself.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Request;

use super::Cluster;
use super::error::{ClusterError, words};
use crate::secrets::Secret;

/// The values of a Secret by key, or why there are none.
type Values = Result<BTreeMap<String, Secret<Vec<u8>>>, String>;

impl Cluster {
    /// The values of a Secret by key, or why there are none: it isn't there, or may not be read.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn secret(&self, namespace: &str, name: &str) -> Result<Values, ClusterError> {
        let Ok(request) = Request::get(format!("/api/v1/namespaces/{namespace}/secrets/{name}")).body(Vec::new()) else {
            return Ok(Err("this is no name of a Secret".to_owned()));
        };
        let secret = match self.wait(self.request(request))? {
            Ok(secret) => secret,
            Err(status) if status.code == 404 => return Ok(Err("it isn't there".to_owned())),
            Err(status) => return Ok(Err(words(&status))),
        };
        let data = secret["data"].as_object().into_iter().flatten();
        let values = data.map(|(key, value)| {
            let bytes = BASE64_STANDARD.decode(value.as_str().unwrap_or_default()).map_err(|_| format!("{key} is not in base64"))?;
            Ok((key.clone(), bytes.into()))
        });
        Ok(values.collect())
    }
}
