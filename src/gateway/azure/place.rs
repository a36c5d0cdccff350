//! Where in Azure DevOps something is: the organization and the project, read from addresses.

use serde_json::Value;

use super::text;

/// The organization that a resource belongs to, as its addresses have it.
pub(super) fn organization(resource: &Value) -> Option<String> {
    addresses(resource)
        .iter()
        .find_map(|address| split(address))
        .map(|(organization, _)| organization)
}

/// The project of a resource: its name if that is said, else as its addresses have it.
pub(super) fn project(resource: &Value) -> Option<String> {
    let named = text(resource, &["project", "name"]);
    named.or_else(|| addresses(resource).iter().find_map(|address| split(address)?.1))
}

/// The address of a build's page, made from what is known of it.
pub fn web_link(organization: &str, project: &str, build: u64) -> Option<String> {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    (plain(organization) && plain(project)).then(|| {
        format!("https://dev.azure.com/{organization}/{project}/_build/results?buildId={build}")
    })
}

/// The addresses that a resource names, the likeliest first.
fn addresses(resource: &Value) -> Vec<String> {
    let paths: [&[&str]; 5] = [
        &["_links", "web", "href"],
        &["url"],
        &["repository", "url"],
        &["run", "url"],
        &["_links", "self", "href"],
    ];
    paths.iter().filter_map(|path| text(resource, path)).collect()
}

/// Organization and project of `https://dev.azure.com/ORG/PROJECT/…` and of
/// `https://ORG.visualstudio.com/[DefaultCollection/]PROJECT/…`.
fn split(address: &str) -> Option<(String, Option<String>)> {
    let rest = address.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    let mut parts = path.split(['/', '?', '#']).filter(|part| !part.is_empty());
    let organization = match host.strip_suffix(".visualstudio.com") {
        Some(organization) => organization.to_owned(),
        None if host == "dev.azure.com" => parts.next()?.to_ascii_lowercase(),
        None => return None,
    };
    let project = parts.find(|part| *part != "DefaultCollection");
    let project = project.filter(|part| !part.starts_with('_')).map(str::to_owned);
    Some((organization, project))
}
