//! Which exported file stands for a path.

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    File(String),
    Missing,
}

/// `/a/b` is the file `a/b`, or the page `a/b.html`, or the page `a/b/index.html`.
pub(super) fn resolve(path: &str, exists: impl Fn(&str) -> bool) -> Resolved {
    let path = path.trim_matches('/');
    let candidates = if path.is_empty() {
        vec!["index.html".to_owned()]
    } else {
        vec![path.to_owned(), format!("{path}.html"), format!("{path}/index.html")]
    };
    candidates.into_iter().find(|path| exists(path)).map_or(Resolved::Missing, Resolved::File)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_pages() {
        let files = ["index.html", "sales.html", "views/index.html", "_next/static/a.js"];
        let found = |path: &str| resolve(path, |file| files.contains(&file));
        assert_eq!(found("/"), Resolved::File("index.html".into()));
        assert_eq!(found("/sales"), Resolved::File("sales.html".into()));
        assert_eq!(found("/sales/"), Resolved::File("sales.html".into()));
        assert_eq!(found("/views"), Resolved::File("views/index.html".into()));
        assert_eq!(found("/_next/static/a.js"), Resolved::File("_next/static/a.js".into()));
        assert_eq!(found("/nowhere"), Resolved::Missing);
    }
}
