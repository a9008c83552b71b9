//! Go modules, for what they publish beside code.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The directories of modules in Go's module cache, each with its name. Go checks what it downloads against its checksum database.
///
/// # Errors
/// There is no Go, or one can't be downloaded.
pub(super) fn directories(modules: &[&str]) -> Result<Vec<(String, PathBuf)>, String> {
    // Outside of every module, so that Go takes these versions and changes no go.sum.
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json"]).args(modules).env("GOWORK", "off").current_dir(std::env::temp_dir());
    let output = go.output().map_err(|error| {
        format!("go: {error}\nInstall Go (https://go.dev/dl), with which the tests get the CRDs of Karpenter and others")
    })?;
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let directory = |answer: Value| {
        let name = format!("{}@{}", answer["Path"].as_str()?, answer["Version"].as_str()?);
        Some((name, PathBuf::from(answer["Dir"].as_str()?)))
    };
    let found: Vec<_> = answers.filter_map(Result::ok).filter_map(directory).collect();
    match modules.iter().find(|module| !found.iter().any(|(name, _)| name == *module)) {
        None => Ok(found),
        Some(module) => {
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
            Err(format!("go mod download {module} failed\n{said}"))
        }
    }
}
