//! Form fields: how some clients send statement and parameters that are too long for a URL.

use super::failure::{Failure, code};

/// The boundary named by a `multipart/form-data` content type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Names and values of the fields. Files (external tables) are refused.
pub(super) fn fields(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, Failure> {
    let malformed = || {
        Failure::new(code::BAD_ARGUMENTS, "The multipart form is malformed. (BAD_ARGUMENTS)".into())
    };
    let delimiter = format!("--{boundary}");
    let mut rest = body.strip_prefix(delimiter.as_bytes()).ok_or_else(malformed)?;
    let next = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
        let end = find(part, next.as_bytes()).ok_or_else(malformed)?;
        let headers_end = find(&part[..end], b"\r\n\r\n").ok_or_else(malformed)?;
        let headers = std::str::from_utf8(&part[..headers_end]).map_err(|_| malformed())?;
        if attribute(headers, "filename").is_some() {
            let reason = "External tables are not supported by the embedded server: create a temporary table in a session. (NOT_IMPLEMENTED)";
            return Err(Failure::new(code::NOT_IMPLEMENTED, reason.into()));
        }
        let name = attribute(headers, "name").ok_or_else(malformed)?;
        let value = std::str::from_utf8(&part[headers_end + 4..end]).map_err(|_| malformed())?;
        fields.push((name.to_owned(), value.to_owned()));
        rest = &part[end + next.len()..];
    }
    Ok(fields)
}

fn attribute<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers.split(['\n', ';']).find_map(|piece| {
        let (key, value) = piece.trim().split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_files_refused() {
        let boundary = boundary("multipart/form-data; boundary=\"x-1\"").unwrap();
        let body = "--x-1\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nselect {s:String}\r\n\
                    --x-1\r\nContent-Disposition: form-data; name=\"param_s\"\r\n\r\na\r\n--b\r\n--x-1--\r\n";
        let expected = [("query", "select {s:String}"), ("param_s", "a\r\n--b")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(fields(body.as_bytes(), &boundary).unwrap(), expected);
        let file = "--x-1\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--x-1--\r\n";
        assert_eq!(fields(file.as_bytes(), &boundary).unwrap_err().code, code::NOT_IMPLEMENTED);
        assert!(fields(&body.as_bytes()[..body.len() - 8], &boundary).is_err());
        assert!(super::boundary("application/octet-stream").is_none());
    }
}
