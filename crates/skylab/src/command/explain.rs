//! `skylab explain`: a packet's way, one line a hop, then the verdict and what to change.

use crate::args::{self, Proto};
use crate::failure::Failure;
use crate::terminal::Paint;
use lab::control::{self, ControlError, Reply, Request};
use lab::explain::{Action, Explanation, Inquiry, Judgement, Protocol, ToldFlow, ToldHop, Way};
use lab::paths::StateDir;
use std::fmt::Write;

/// Columns don't grow wider than this for one long word.
const WIDEST: usize = 28;

pub(crate) fn run(state: &StateDir, args: args::Explain) -> Result<u8, Failure> {
    let inquiry = Inquiry {
        from: args.from,
        to: args.to,
        protocol: match args.proto {
            Proto::Tcp => Protocol::Tcp,
            Proto::Udp => Protocol::Udp,
            Proto::Icmp => Protocol::Icmp,
        },
        port: args.port,
        cluster: args.cluster,
    };
    let lab = control::connect(state)?;
    let Reply::Explained(explanation) = lab.ask(&Request::Explain(inquiry))? else {
        return Err(ControlError::Version.into());
    };
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&explanation).unwrap_or_default()
        );
    } else {
        print!("{}", told(&explanation, Paint::for_stdout()));
    }
    Ok(match explanation.verdict {
        Judgement::Delivered => 0,
        Judgement::Dropped => 1,
        Judgement::Unknown => 2,
    })
}

/// An explanation as text.
pub(crate) fn told(explanation: &Explanation, paint: Paint) -> String {
    let mut text = String::new();
    let flow = &explanation.flow;
    let places = format!("{} → {}", flow.from, flow.to);
    // Writing to a string can't fail, here and below.
    let _ = writeln!(
        text,
        "{}  {}",
        paint.bold(&places),
        paint.dim(&addresses(flow))
    );
    let rows: Vec<[String; 4]> = explanation.hops.iter().map(row).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).min(WIDEST)
    };
    let widths = [width(0), width(1), width(2)];
    let mut way = None;
    for (hop, [action, at, by, detail]) in explanation.hops.iter().zip(&rows) {
        let label = match (way != Some(hop.direction), hop.direction) {
            (true, Way::Out) => "out",
            (true, Way::Back) => "back",
            (false, _) => "",
        };
        way = Some(hop.direction);
        let mark = match hop.action {
            Action::Deny => paint.red("✗"),
            Action::Allow | Action::Deliver => paint.green("✓"),
            Action::Route | Action::Translate | Action::Balance => paint.dim("→"),
        };
        let padded = |text: &str, width: usize| format!("{text:<width$}");
        let line = format!(
            "  {label:<4} {mark} {}  {}  {}  {detail}",
            padded(action, widths[0]),
            padded(at, widths[1]),
            paint.dim(&padded(by, widths[2])),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let verdict = match explanation.verdict {
        Judgement::Delivered => paint.green("delivered"),
        Judgement::Dropped => paint.red("dropped"),
        Judgement::Unknown => paint.yellow("unknown"),
    };
    match &explanation.reason {
        Some(reason) => {
            let _ = writeln!(text, "{verdict}: {reason}");
        }
        None => {
            let _ = writeln!(text, "{verdict}");
        }
    }
    for remedy in &explanation.remedies {
        let _ = writeln!(text, "  {} {remedy}", paint.yellow("fix:"));
    }
    text
}

fn addresses(flow: &ToldFlow) -> String {
    match (flow.protocol, flow.source_port, flow.port) {
        (Protocol::Icmp, _, _) | (_, None, _) | (_, _, None) => {
            format!("icmp {} → {}", flow.source, flow.destination)
        }
        (protocol, Some(source), Some(port)) => {
            let protocol = if protocol == Protocol::Udp {
                "udp"
            } else {
                "tcp"
            };
            format!(
                "{protocol} {}:{source} → {}:{port}",
                flow.source, flow.destination
            )
        }
    }
}

/// A hop's columns: what was done, where, by which resource and rule, and the details.
fn row(hop: &ToldHop) -> [String; 4] {
    let action = match hop.action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        Action::Route => "route",
        Action::Translate => "translate",
        Action::Balance => "balance",
        Action::Deliver => "deliver",
    };
    let at = hop.at.clone().unwrap_or_default();
    let resource = hop.resource.as_deref().filter(|resource| *resource != at);
    let by = [resource, hop.rule.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let detail = hop.detail.clone().unwrap_or_default();
    [action.to_owned(), at, by, detail]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn hop(direction: Way, action: Action, at: &str, rule: Option<&str>) -> ToldHop {
        ToldHop {
            direction,
            at: Some(at.to_owned()),
            resource: Some("sg-1".to_owned()),
            rule: rule.map(str::to_owned),
            action,
            detail: Some("words".to_owned()),
        }
    }

    /// AN-EXPLAIN: one aligned line a hop, the verdict, then remedies.
    #[test]
    fn a_trace_reads_like_a_table() {
        let explanation = Explanation {
            verdict: Judgement::Dropped,
            flow: ToldFlow {
                from: "internet".to_owned(),
                to: "instance/web".to_owned(),
                protocol: Protocol::Tcp,
                source: Ipv4Addr::new(203, 0, 113, 10),
                source_port: Some(49152),
                destination: Ipv4Addr::new(198, 51, 100, 1),
                port: Some(80),
            },
            hops: vec![
                hop(Way::Out, Action::Allow, "eni-12345", Some("sgr-1")),
                hop(Way::Back, Action::Deny, "eni-1", None),
            ],
            remedies: vec!["do this".to_owned()],
            reason: Some("no rule allows it".to_owned()),
        };
        let text = told(&explanation, Paint::off());
        let wanted = "\
internet → instance/web  tcp 203.0.113.10:49152 → 198.51.100.1:80
  out  ✓ allow  eni-12345  sg-1 sgr-1  words
  back ✗ deny   eni-1      sg-1        words
dropped: no rule allows it
  fix: do this
";
        assert_eq!(text, wanted);
    }
}
