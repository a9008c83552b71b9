//! The annotation by which Argo CD knows which files an Application depends on.

use std::path::Path;

/// The value of `argocd.argoproj.io/manifest-generate-paths` for what was read: paths below that of the Application relative to it,
/// others from the root of the repository, and none within another. All paths given are from the root of the repository.
pub fn generate_paths(application: &Path, read: &[&Path]) -> String {
    let mut read = read.to_vec();
    read.sort();
    read.dedup();
    let is_within_another = |path: &&Path| read.iter().any(|other| other != path && path.starts_with(other));
    let mut paths: Vec<String> = read.iter().filter(|path| !is_within_another(path)).map(|path| shown(application, path)).collect();
    // Relative ones first.
    paths.sort_by_key(|path| (path.starts_with('/'), path.clone()));
    paths.join(";")
}

fn shown(application: &Path, path: &Path) -> String {
    match path.strip_prefix(application) {
        Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Ok(below) => below.to_string_lossy().into_owned(),
        Err(_) => format!("/{}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations() {
        let table: [(&str, &[&str], &str); 8] = [
            ("apps/prod", &["apps/prod"], "."),
            ("apps/prod", &["apps/prod", "kaito.yaml"], ".;/kaito.yaml"),
            ("apps/prod", &["shared/presets", "apps/prod"], ".;/shared/presets"),
            ("apps/prod", &["apps/prod/models", "apps/prod/kaito.yaml"], "kaito.yaml;models"),
            ("apps/prod", &["apps/prod", "apps/prod/patches/a.yaml", "apps/prod"], "."),
            ("apps/prod", &["apps/production", "apps/prod"], ".;/apps/production"),
            ("apps/prod", &[""], "/"),
            ("", &["", "kaito.yaml"], "."),
        ];
        for (application, read, want) in table {
            let read: Vec<&Path> = read.iter().map(|path| Path::new(*path)).collect();
            assert_eq!(generate_paths(Path::new(application), &read), want, "{application} {read:?}");
        }
    }
}
