//! How an error is told: with everything it comes from, in one line.

/// An error with everything it comes from, each link once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut link = error.source();
    while let Some(inner) = link {
        let told = inner.to_string();
        // Some libraries tell of their source themselves.
        if !words.ends_with(&told) {
            words.push_str(": ");
            words.push_str(&told);
        }
        link = inner.source();
    }
    words
}
