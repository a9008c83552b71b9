//! `--push`: the flags that say to which branch what is rendered is committed, and `kaito render` with them.

use std::path::PathBuf;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs};
use crate::diagnostic::{Diagnostic, plural};
use crate::diff::Side;
use crate::rendered_branch::manifests;
use crate::selector::Selector;
use crate::source::{Access, Destination, Mirror, Person, Pushed, Repository, Values, shown_url};
use crate::watch::PushConfig;
use crate::watch::config::GitConfig;

/// The repository that is rendered, as it is called in one.
const ORIGIN: &str = "origin";

/// Where rendered manifests are committed to.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Rendered branch")]
pub(super) struct PushArgs {
    /// Commit the manifests to a branch of this git repository: https://..., ssh://..., user@host:path, a path on disk, or origin, which is where they come from and what --push means alone
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = ORIGIN, requires = "push_branch")]
    push: Option<String>,
    /// Branch that they are committed to, on top of what it holds; it is made if it isn't there
    #[arg(long, value_name = "NAME", requires = "push")]
    push_branch: Option<String>,
    /// Directory of the branch that they are in [default: its root]
    #[arg(long, value_name = "DIR", requires = "push")]
    push_path: Option<String>,
    /// One manifest.yaml, as Argo CD's Source Hydrator has it, or a file an object, as in a directory of manifests [default: manifest]
    #[arg(long, value_name = "LAYOUT", value_parser = ["manifest", "files"], requires = "push")]
    push_layout: Option<String>,
    /// Directory with credentials for the repository, a file for each key of Flux' Secrets: username, password, identity, ...
    #[arg(long, value_name = "DIR", requires = "push")]
    push_credentials: Option<PathBuf>,
    /// File with the private key of SSH or OpenPGP that signs the commit
    #[arg(long, value_name = "FILE", requires = "push")]
    push_signing_key: Option<PathBuf>,
    /// File with the passphrase of that key
    #[arg(long, value_name = "FILE", requires = "push_signing_key")]
    push_signing_passphrase: Option<PathBuf>,
    /// Author of the commit [default: kaito <kaito@localhost>]
    #[arg(long, value_name = "NAME <EMAIL>", value_parser = person, requires = "push")]
    push_author: Option<String>,
    /// Committer [default: the author]
    #[arg(long, value_name = "NAME <EMAIL>", value_parser = person, requires = "push")]
    push_committer: Option<String>,
}

/// What only who pushes once can say.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Rendered branch")]
pub(super) struct OnceArgs {
    /// Let what an older commit is rendered to take the place of what a newer one is
    #[arg(long, requires = "push")]
    push_older: bool,
}

fn person(text: &str) -> Result<String, String> {
    text.parse::<Person>().map(|_| text.to_owned())
}

impl PushArgs {
    /// Whether anything is to be pushed.
    pub(super) fn is_asked(&self) -> bool {
        self.push.is_some()
    }

    /// The same as the file of sources says it.
    pub(super) fn config(&self, include_workspace: bool) -> Option<PushConfig> {
        let url = self.push.clone()?;
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        Some(PushConfig {
            url: Some(url).filter(|url| url != ORIGIN),
            branch: self.push_branch.clone().unwrap_or_default(),
            path: self.push_path.clone(),
            layout: self.push_layout.clone(),
            credentials: text(&self.push_credentials),
            signing_key: text(&self.push_signing_key),
            signing_passphrase: text(&self.push_signing_passphrase),
            author: self.push_author.clone(),
            committer: self.push_committer.clone(),
            include_workspace,
            ..PushConfig::default()
        })
    }
}

/// The command that renders the same, for whoever wants to.
pub(super) fn command(
    paths: &[PathBuf],
    is_recursive: bool,
    rendering: &RenderingArgs,
    selector: Option<&Selector>,
    include_workspace: bool,
) -> String {
    let mut words = vec!["kaito".to_owned(), "render".to_owned()];
    words.extend(is_recursive.then(|| "-R".to_owned()));
    words.extend(paths.iter().flat_map(|path| ["-f".to_owned(), path.to_string_lossy().into_owned()]));
    words.extend(selector.iter().flat_map(|selector| ["-l".to_owned(), selector.to_string()]));
    words.extend(include_workspace.then(|| "--include-workspace".to_owned()));
    words.extend(rendering.words());
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

/// The input of a rendering that is pushed: that of a commit, by which people find what was rendered.
pub(super) fn committed(input: &InputArgs) -> Result<InputArgs, Diagnostic> {
    if input.filename.iter().any(|path| path.as_os_str() == "-") {
        let finding = Diagnostic::error("what comes from standard input isn't pushed: no commit holds it");
        return Err(finding.help("commit it, and name it with -f"));
    }
    Ok(InputArgs { revision: input.revision.clone().or_else(|| Some("HEAD".to_owned())), ..input.clone() })
}

/// Commits what was rendered to a branch.
pub(super) fn run(
    (args, once): (&PushArgs, OnceArgs),
    input: &InputArgs,
    rendering: &RenderingArgs,
    side: &Side<'_>,
    with: bool,
    color: Color,
) -> Exit {
    match push((args, once), input, rendering, side, with) {
        Ok(message) => {
            output::done(&message);
            Exit::Done
        }
        Err(finding) => {
            output::findings(vec![finding], color, "pushed");
            Exit::Invalid
        }
    }
}

fn push(
    (args, once): (&PushArgs, OnceArgs),
    input: &InputArgs,
    rendering: &RenderingArgs,
    side: &Side<'_>,
    with: bool,
) -> Result<String, Diagnostic> {
    let repository = Repository::open()?;
    let revision = input.revision.as_deref().unwrap_or("HEAD");
    let commit = repository.side(revision)?.commit.and_then(|id| repository.commit(&id));
    let commit = commit.ok_or_else(|| {
        Diagnostic::error(format!("{revision} is no commit, and only what a commit holds is pushed"))
            .help("name a commit, a branch or a tag")
    })?;
    let origin = repository.origin().map(|url| shown_url(&url));
    let config = args.config(with).unwrap_or_default();
    let source = GitConfig { url: origin.clone().unwrap_or_default(), ..GitConfig::default() };
    if config.url.is_none() && origin.is_none() {
        let finding = Diagnostic::error("this repository has no remote that is called origin, to which it could be pushed");
        return Err(finding.help("name the repository: --push URL"));
    }
    if let Some((_, fault)) = config.faults(Some(&source)).into_iter().next() {
        return Err(fault);
    }
    let access = config.credentials.iter().fold(Access::anonymous(), |access, path| access.with(Values::Directory(path.into())));
    let to = Destination { goes_back: once.push_older, ..config.destination(access) };
    let cache = tempfile::tempdir().map_err(|error| Diagnostic::error(format!("there can be no temporary directory: {error}")))?;
    let mirror = Mirror::open(cache.path(), &config.repository(&source).url).map_err(|error| error.finding())?;
    let manifests = manifests(side, with).map_err(|error| *error.0)?;
    let selector = side.session.context().options.selector.as_ref();
    let command = command(&input.filename, input.recursive, rendering, selector, with);
    let rendering = to.rendering(manifests, &command, commit.dry(&source.url));
    let pushed = mirror.push(&to, &rendering).map_err(|error| error.finding())?;
    let Pushed { commit, is_new, written, removed } = pushed;
    let branch = format!("{} of {}", to.branch, mirror.url());
    if !is_new {
        return Ok(format!("{branch}: unchanged, commit {commit}"));
    }
    Ok(format!("{branch}: {} written, {removed} removed, commit {commit}", plural(written as u64, "file")))
}
