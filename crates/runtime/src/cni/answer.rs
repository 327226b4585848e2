//! What plugins answer.
//! <https://github.com/containernetworking/cni/blob/main/SPEC.md#section-5-result-types>

use serde_json::Value;
use std::net::Ipv4Addr;

/// The first IPv4 address that a result gives the sandbox.
pub(crate) fn address(result: &Value) -> Option<Ipv4Addr> {
    let list = |name: &str| result.get(name).and_then(Value::as_array);
    let interfaces = list("interfaces").map(Vec::as_slice).unwrap_or_default();
    // An address without an interface is the sandbox's; one with an interface if that is inside.
    let inside = |ip: &Value| {
        let index = ip.get("interface").and_then(Value::as_u64);
        let interface = index.and_then(|index| interfaces.get(index as usize));
        interface.is_none_or(|interface| {
            let sandbox = interface.get("sandbox").and_then(Value::as_str);
            sandbox.is_some_and(|sandbox| !sandbox.is_empty())
        })
    };
    let addresses = list("ips").into_iter().flatten();
    addresses.filter(|ip| inside(ip)).find_map(|ip| {
        let prefix = ip.get("address")?.as_str()?;
        prefix.split('/').next()?.parse().ok()
    })
}

/// Why a plugin failed, in the words of the library that runtimes use: what it says itself on its
/// standard output, else what it complained about.
/// <https://github.com/containernetworking/cni/blob/main/pkg/invoke/raw_exec.go>
pub(crate) fn refusal(code: i32, output: &[u8], errors: &[u8]) -> String {
    let words: Option<Value> = serde_json::from_slice(output).ok();
    let field = |name: &str| {
        let words = words.as_ref()?.get(name)?.as_str()?;
        (!words.is_empty()).then(|| words.to_owned())
    };
    match (field("msg"), field("details")) {
        (Some(message), Some(details)) => format!("{message}; {details}"),
        (Some(message), None) => message,
        (None, _) if output.is_empty() && errors.is_empty() => {
            format!("netplugin failed with no error message: exit status {code}")
        }
        (None, _) if output.is_empty() => {
            format!("netplugin failed: {:?}", String::from_utf8_lossy(errors))
        }
        (None, _) => format!(
            "netplugin failed but error parsing its diagnostic message {:?}",
            String::from_utf8_lossy(output)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sandboxes_address_is_the_one_inside() {
        let result = json!({
            "interfaces": [{"name": "cni0"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/x"}],
            "ips": [{"address": "10.1.0.1/16", "interface": 0},
                    {"address": "fd00::5/64", "interface": 2},
                    {"address": "10.1.0.5/16", "interface": 2}]
        });
        assert_eq!(address(&result), Some(Ipv4Addr::new(10, 1, 0, 5)));
        // The VPC CNI of AWS, and the older form.
        let result = json!({"ips": [{"version": "4", "address": "10.0.1.7/32"}]});
        assert_eq!(address(&result), Some(Ipv4Addr::new(10, 0, 1, 7)));
        assert_eq!(address(&json!({})), None);
    }

    #[test]
    fn refusals_are_the_plugins_own_words() {
        let own = br#"{"cniVersion":"1.0.0","code":11,"msg":"no addresses left","details":"10.1.0.0/24"}"#;
        assert_eq!(refusal(1, own, b""), "no addresses left; 10.1.0.0/24");
        assert_eq!(refusal(2, b"", b"oh"), "netplugin failed: \"oh\"");
        let silent = "netplugin failed with no error message: exit status 3";
        assert_eq!(refusal(3, b"", b""), silent);
    }
}
