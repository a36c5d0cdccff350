//! What a source told, once its bytes are understood: the same words for Azure DevOps and GitHub.
//! The fields hold what came, uncleaned: they are for comparing; [`super::letter`] shows them.
//! Pure. Not here: how the bytes are understood, and what is stored.

use std::fmt;

/// Who told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A service hook of Azure DevOps.
    AzureDevops,
    /// A webhook of GitHub.
    Github,
}

impl Source {
    /// Its name in paths, keys and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AzureDevops => "azure-devops",
            Self::Github => "github",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AzureDevops => "Azure DevOps",
            Self::Github => "GitHub",
        })
    }
}

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Who told.
    pub source: Source,
    /// What the source calls it: `build.complete`.
    pub kind: String,
    /// What it says.
    pub what: What,
    /// The name of the notification itself, by which the same one sent twice is known.
    pub notification: Option<String>,
    /// What it means, by which two subscriptions that overlap are known.
    pub meaning: Option<String>,
}

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A build has ended.
    Build(Build),
    /// Something became of a pull request.
    PullRequest(PullRequest),
    /// A stage or a job of a run, or a run that goes on: parts of what a build's end will tell.
    Progress(String),
    /// The Test button's sample. Its ids are the same for everybody: it never hides a real event.
    Test,
    /// Whether we are there.
    Ping,
    /// We do not know it.
    Unknown,
    /// It is no JSON that anybody could understand, and why.
    Unreadable(String),
}

/// The end of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Its id, which the source's interface knows it by.
    pub id: Option<u64>,
    /// Its number or title, which people know it by.
    pub number: Option<String>,
    /// The pipeline or workflow.
    pub definition: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// `refs/heads/…`, or the bare name of a branch.
    pub branch: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The pull request that it was made for.
    pub pull_request: Option<u64>,
    /// The organization, or the owner.
    pub organization: Option<String>,
    /// The project, or the repository.
    pub project: Option<String>,
    /// Where a person sees it.
    pub link: Option<String>,
    /// When it ended, as the source writes it.
    pub finished: Option<String>,
}

/// How a build ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// Well, with something that failed and did not matter to it.
    PartiallySucceeded,
    /// Badly.
    Failed,
    /// Somebody or something stopped it: that says nothing of the code.
    Canceled,
    /// In a way that we do not know, or that is not said.
    #[default]
    Unsaid,
}

impl Outcome {
    /// Its name in keys.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::PartiallySucceeded => "partiallysucceeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Unsaid => "unsaid",
        }
    }
}

/// A pull request, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: Option<u64>,
    /// What became of it.
    pub state: PullState,
    /// Its title, which anybody may write.
    pub title: Option<String>,
    /// The branch it comes from.
    pub from: Option<String>,
    /// The branch it goes to.
    pub into: Option<String>,
    /// The commit that merges it.
    pub merge_commit: Option<String>,
    /// The repository.
    pub repository: Option<String>,
    /// Where a person sees it.
    pub link: Option<String>,
}

/// What became of a pull request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullState {
    /// It was opened.
    Opened,
    /// It was opened as a draft, or is one still.
    Draft,
    /// It is merged.
    Merged,
    /// It was closed without being merged.
    Abandoned,
    /// Anything else: a push, a vote, a merge commit that was made to try it.
    #[default]
    Changed,
}

/// Whom a notification wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wakes {
    /// The group that the source's events are for.
    Owner,
    /// Whoever waits for this branch, if anybody does.
    WhoeverWaitsFor(String),
    /// Nobody: it is kept.
    Nobody,
}

impl News {
    /// Whom it wakes. A build that went well and what became of a pull request are worth a wake
    /// only to who waits for them; a build that somebody stopped says nothing.
    pub fn wakes(&self) -> Wakes {
        let waiting = |branch: &Option<String>| match branch {
            Some(branch) => Wakes::WhoeverWaitsFor(short(branch).to_owned()),
            None => Wakes::Nobody,
        };
        match &self.what {
            What::Build(build) => match build.outcome {
                Outcome::Failed | Outcome::PartiallySucceeded => Wakes::Owner,
                Outcome::Succeeded => waiting(&build.branch),
                Outcome::Canceled | Outcome::Unsaid => Wakes::Nobody,
            },
            What::PullRequest(pull) => match pull.state {
                PullState::Merged | PullState::Abandoned => waiting(&pull.from),
                PullState::Opened | PullState::Draft | PullState::Changed => Wakes::Nobody,
            },
            What::Progress(_) | What::Test | What::Ping | What::Unknown | What::Unreadable(_) => {
                Wakes::Nobody
            }
        }
    }

    /// The branch that it is about, as people name it.
    pub fn branch(&self) -> Option<&str> {
        match &self.what {
            What::Build(build) => build.branch.as_deref().map(short),
            What::PullRequest(pull) => pull.from.as_deref().map(short),
            What::Progress(_) | What::Test | What::Ping | What::Unknown | What::Unreadable(_) => {
                None
            }
        }
    }
}

/// A branch without what comes before its name.
pub fn short(branch: &str) -> &str {
    branch.strip_prefix("refs/heads/").unwrap_or(branch)
}
