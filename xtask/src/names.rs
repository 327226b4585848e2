//! AWS's names as Rust's.

const KEYWORDS: [&str; 10] = [
    "type", "return", "ref", "match", "move", "use", "where", "loop", "async", "static",
];

/// `VpcId` → `vpc_id`, `EnableDns64` → `enable_dns64`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_uppercase();
        let before_lower = letters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase()
            && index > 0
            && (after_lower || before_lower)
            && !snake.ends_with('_')
        {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    if KEYWORDS.contains(&snake.as_str()) {
        format!("{snake}_")
    } else {
        snake
    }
}

/// `configStatus` → `ConfigStatus`.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// `t2.micro` → `T2Micro`, `-1` → `Minus1`.
pub(crate) fn variant(value: &str) -> String {
    let mut name = String::new();
    let mut upper = true;
    for letter in value.chars() {
        if !letter.is_ascii_alphanumeric() {
            upper = true;
        } else if upper {
            name.extend(letter.to_uppercase());
            upper = false;
        } else {
            name.push(letter);
        }
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) || name == "Self" {
        format!("V{name}")
    } else {
        name
    }
}

/// The query protocol's name for an EC2 member: `queryName`, else `locationName` with a capital, else
/// the member's own. A member that stands outside a request's body is put in it under its own name.
pub(crate) fn query(member: &str, reference: &crate::model::Reference, protocol: &str) -> String {
    if reference.location.is_some() {
        return member.to_owned();
    }
    if protocol != "ec2" {
        return reference
            .location_name
            .clone()
            .unwrap_or_else(|| member.to_owned());
    }
    if let Some(name) = &reference.query_name {
        return name.clone();
    }
    let name = reference.location_name.as_deref().unwrap_or(member);
    capital(name)
}
