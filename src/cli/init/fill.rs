//! What stands in the places that the templates leave open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::launch::Launch;

/// The items of the plan that is written.
const ITEMS: [&str; 3] = ["D1", "D2", "D3"];

/// Everything that differs from one folder to another.
pub(super) struct Values {
    /// A bare repository and two clones are made, for there are none.
    pub(super) makes_repository: bool,
    /// A plan is written, for there is none.
    pub(super) writes_plan: bool,
    /// The loops' own prompts, which stay.
    pub(super) own_prompts: Option<(PathBuf, PathBuf)>,
    builder: PathBuf,
    adversary: PathBuf,
    url: Option<String>,
    /// By the name in the template, without the signs around it.
    tokens: BTreeMap<&'static str, String>,
}

impl Values {
    /// Those of the folder `dir`, which is absolute; what `launch` says stands instead.
    pub(super) fn new(dir: &Path, launch: Option<&Launch>) -> Self {
        let nothing = Launch::default();
        let launch = launch.unwrap_or(&nothing);
        let has_clones = launch.builder.is_some() || launch.adversary.is_some();
        let builder = launch.builder.clone().unwrap_or_else(|| dir.join("builder"));
        let adversary = launch.adversary.clone().unwrap_or_else(|| dir.join("adversary"));
        let plan_dir = launch.plan_dir.clone();
        let writes_plan = plan_dir.is_none() && launch.phases.is_empty();
        let own_prompts = own_prompts(launch);
        let (builder_prompt, adversary_prompt) = own_prompts
            .clone()
            .unwrap_or_else(|| (dir.join("prompts/builder.md"), dir.join("prompts/adversary.md")));
        let name = dir.file_name().map_or_else(|| "loops".into(), |it| it.to_string_lossy());
        let label = |given: &Option<String>, role: &str| {
            if launch.remote_control == Some(false) {
                return "false".to_owned();
            }
            text(&given.clone().unwrap_or_else(|| format!("{name}-{role}")))
        };
        let orchestrator = launch.resume.clone().or_else(|| launch.orchestrator_label.clone());
        let orchestrator = orchestrator.unwrap_or_else(|| format!("{name}-orchestrator"));
        let repo = launch.url.clone().unwrap_or_else(|| builder.display().to_string());
        let review = launch.url.clone().unwrap_or_else(|| adversary.display().to_string());
        let own = own_prompts.is_some();
        let fetch = launch.fetch.map(|seconds| format!("\nfetch = \"{seconds}s\""));
        let tokens = BTreeMap::from([
            ("DIR", dir.display().to_string()),
            ("CONFIG", dir.join("config.toml").display().to_string()),
            ("BUILDER", path(&builder)),
            ("ADVERSARY", path(&adversary)),
            ("ORCHESTRATOR", path(launch.orchestrator.as_deref().unwrap_or(dir))),
            ("BUILDER_PROMPT", path(&builder_prompt)),
            ("ADVERSARY_PROMPT", path(&adversary_prompt)),
            ("ORCHESTRATOR_PROMPT", path(&dir.join("prompts/orchestrator.md"))),
            ("BUILDER_LABEL", label(&launch.builder_label, "builder")),
            ("ADVERSARY_LABEL", label(&launch.adversary_label, "adversary")),
            ("ORCHESTRATOR_LABEL", label(&launch.orchestrator_label, "orchestrator")),
            ("ORCHESTRATOR_NAME", text(&orchestrator)),
            ("WATCH", launch.watch_orchestrator.unwrap_or(true).to_string()),
            ("PHASES", phases(&dir.join("plan"), launch)),
            ("REPO", text(&repo)),
            ("REVIEW_REPO", text(&review)),
            ("FETCH", fetch.unwrap_or_default()),
            ("CONSENT", consent(writes_plan, own)),
            // Other prompts than ours say what they like around these words.
            ("CLAIM", if own { "\"CLAIMED\"" } else { "'^CLAIMED '" }.to_owned()),
            ("VERDICT", verdict(own).to_owned()),
        ]);
        Self {
            makes_repository: !has_clones,
            writes_plan,
            own_prompts,
            builder,
            adversary,
            url: launch.url.clone(),
            tokens,
        }
    }

    /// A template with everything in its place.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut rest = template;
        let mut filled = String::with_capacity(template.len() * 2);
        while let Some((before, after)) = rest.split_once('@') {
            filled.push_str(before);
            let known = after
                .split_once('@')
                .and_then(|(name, after)| Some((self.tokens.get(name)?, after)));
            match known {
                Some((value, after)) => {
                    filled.push_str(value);
                    rest = after;
                }
                None => {
                    filled.push('@');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// The commands that make the clones that are not there.
    pub(super) fn missing_clones(&self) -> Vec<String> {
        let url = self.url.as_deref().unwrap_or("URL");
        [&self.builder, &self.adversary]
            .into_iter()
            .filter(|clone| !clone.exists())
            .map(|clone| format!("       git clone {url} {}", clone.display()))
            .collect()
    }
}

/// Both are there, or ours are written.
fn own_prompts(launch: &Launch) -> Option<(PathBuf, PathBuf)> {
    let beside = |name: &str| Some(launch.plan_dir.as_ref()?.join("prompts").join(name));
    let builder = launch.builder_prompt.clone().or_else(|| beside("builder.md"))?;
    let adversary = launch.adversary_prompt.clone().or_else(|| beside("adversary.md"))?;
    (builder.is_file() && adversary.is_file()).then_some((builder, adversary))
}

fn consent(has_items: bool, own: bool) -> String {
    let items = ITEMS.map(text).join(", ");
    match (own, has_items) {
        (false, true) => format!("pattern = '^PASS {{phase}} {{item}}\\b', items = [{items}]"),
        (false, false) => "pattern = '^PASS {phase}\\b'".to_owned(),
        (true, _) => "pattern = 'PASS.*\\b{phase}\\b'".to_owned(),
    }
}

fn verdict(own: bool) -> &'static str {
    if own { "when = \"change\"" } else { "when = \"line\"\npattern = '^(PASS|FAIL|VETO) '" }
}

fn phases(plan: &Path, launch: &Launch) -> String {
    let plan = launch.plan_dir.as_deref().unwrap_or(plan);
    let line =
        |name: &str, file: &Path| format!("  {{ name = {}, plan = {} }},", text(name), path(file));
    if launch.phases.is_empty() {
        let later =
            format!("  # {{ name = \"2\", plan = {} }},", path(&plan.join("plan-phase2.md")));
        return format!("{}\n{later}", line("1", &plan.join("plan.md")));
    }
    let lines = launch.phases.iter().map(|(name, file)| {
        let file = file.clone().unwrap_or_else(|| plan_of(plan, name));
        line(name, &plan.join(file))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The file in the folder of plans that is about this phase.
fn plan_of(plan: &Path, phase: &str) -> PathBuf {
    let begin = format!("plan-phase{phase}");
    let fits = |name: &str| {
        let rest = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(".md"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let names = std::fs::read_dir(plan).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| fits(name)).collect();
    names.sort_unstable();
    names.into_iter().next().map_or_else(|| format!("{begin}.md").into(), PathBuf::from)
}

fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

/// As TOML writes it.
fn text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_two_signs_is_filled_in_and_every_other_sign_stays() {
        let values = Values::new(Path::new("/srv/x"), None);
        assert_eq!(values.fill("@BUILDER@ a@b @NO@ @WATCH@"), "\"/srv/x/builder\" a@b @NO@ true");
        assert_eq!(values.fill(""), "");
        assert_eq!(values.fill("@"), "@");
    }

    #[test]
    fn a_phase_has_the_plan_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["plan-phase1.md", "plan-phase1c-full.md", "plan-phase2b-fast.md"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let file = |phase: &str| plan_of(dir.path(), phase).display().to_string();
        assert_eq!(file("1"), "plan-phase1.md");
        assert_eq!(file("1c"), "plan-phase1c-full.md");
        assert_eq!(file("2"), "plan-phase2.md");
        assert_eq!(file("2b"), "plan-phase2b-fast.md");
    }
}
