//! Each mistake and the very lines that tell it.

use super::*;

/// The cases; its head says how they are written.
const CASES: &str = include_str!("errors.txt");

#[test]
fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    let mut count = 0;
    for case in CASES.split("\n\n").filter(|case| !case.starts_with('#')) {
        let (told, text): (Vec<_>, Vec<_>) = case.lines().partition(|line| line.starts_with("=> "));
        let error = parse(&text.join("\n")).map(|_| "nothing is wrong").unwrap_err().to_string();
        let lines: Vec<_> =
            error.lines().map(|line| line.replacen("/etc/s.toml:", "=> ", 1)).collect();
        assert_eq!(lines, told, "for this text:\n{case}");
        count += 1;
    }
    assert!(count > 80, "only {count} cases were found");
}

#[test]
fn no_value_of_an_environment_or_a_url_is_repeated() {
    for text in [
        "[services.a]\nenvironment = { TOKEN = 's3cret', OTHER = 5 }",
        "[services.a]\nenvironment = { TOKEN = \"s3cret\\u0000\" }",
        "[services.a]\nenvironment = ['TOKEN=s3cret']",
        "[services.a]\nenvironment = 'TOKEN=s3cret'",
        "[services.a]\nenvironment = { TOKEN = s3cret }",
        "[services.a]\nenvironment = { TOKEN = 's3cret }",
        "[services.a]\nenvironment = { TOKEN = ['s3cret'] }",
        "[notify]\nheartbeat = 'https://hc/s3cret'",
        "[notify]\ntargets = ['https://hc/s3cret']",
        "[notify]\ntargets = [{ kind = 'ntfy', url = 'hc/s3cret' }]",
        "[notify]\ntargets = [{ kind = 'webhook', url = 'https://h', template = 's3cret' }]",
        "[notify]\nheartbeat = { url = 'https://hc:s3cret@h/' }",
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
