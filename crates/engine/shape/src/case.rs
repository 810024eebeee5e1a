//! snake_case to the two cases of the wire.

/// `vpc_id` to `VpcId`.
pub(crate) fn pascal(snake: &str) -> String {
    snake.split('_').map(capitalised).collect()
}

/// `vpc_id` to `vpcId`.
pub(crate) fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capitalised(word))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_follow_the_words() {
        assert_eq!(pascal("service_ipv4_cidr"), "ServiceIpv4Cidr");
        assert_eq!(camel("service_ipv4_cidr"), "serviceIpv4Cidr");
        assert_eq!(camel("name"), "name");
    }
}
