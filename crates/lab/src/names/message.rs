//! DNS messages: a question's bytes in, the answer's bytes out.

use super::zone::{Answer, Data, Question};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// What fits a UDP answer when the caller says nothing (RFC 1035).
const PLAIN_PAYLOAD: u16 = 512;
/// What this server takes and gives at most by UDP.
const PAYLOAD: u16 = 1232;

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Udp,
    Tcp,
}

/// Answers one message; nothing to what is no question.
pub(super) fn answer(
    request: &[u8],
    carrier: Carrier,
    resolve: impl FnOnce(&Question) -> Answer,
) -> Option<Vec<u8>> {
    let asked = match Message::from_vec(request) {
        Ok(message) => message,
        Err(_) => return malformed(request),
    };
    if asked.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_queries(asked.queries.iter().cloned());
    if asked.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        reply.set_edns(edns);
    }
    fill(&mut reply, &asked, resolve);
    let limit = match carrier {
        Carrier::Tcp => u16::MAX,
        Carrier::Udp => asked.edns.as_ref().map_or(PLAIN_PAYLOAD, |edns| {
            edns.max_payload().clamp(PLAIN_PAYLOAD, PAYLOAD)
        }),
    };
    let bytes = reply.to_vec().ok()?;
    if bytes.len() <= usize::from(limit) {
        return Some(bytes);
    }
    reply.truncate().to_vec().ok()
}

/// Domains that are the lab's alone: what doesn't exist there exists nowhere.
const OWN: [&str; 4] = [
    "amazonaws.com",
    "compute.internal",
    "ec2.internal",
    "in-addr.arpa",
];

/// Whether an answer says that there is no such name, and the name is none of the lab's own domains.
pub(super) fn is_unknown(request: &[u8], reply: &[u8]) -> bool {
    let code = reply.get(3).map(|flags| flags & 0x0f);
    if code != Some(ResponseCode::NXDomain.low()) {
        return false;
    }
    Message::from_vec(request).is_ok_and(|asked| {
        asked.queries.iter().all(|query| {
            let name = text(query.name());
            let below = |domain: &&str| name == *domain || name.ends_with(&format!(".{domain}"));
            !OWN.iter().any(below)
        })
    })
}

/// To what can't be read: a format error, when there is at least an id to answer to.
fn malformed(request: &[u8]) -> Option<Vec<u8>> {
    let (id, flags) = (request.get(..2)?, request.get(2)?);
    if flags & 0x80 != 0 {
        return None;
    }
    let id = u16::from_be_bytes(id.try_into().ok()?);
    Message::error_msg(id, OpCode::Query, ResponseCode::FormErr)
        .to_vec()
        .ok()
}

fn fill(reply: &mut Message, asked: &Message, resolve: impl FnOnce(&Question) -> Answer) {
    let [query] = asked.queries.as_slice() else {
        reply.metadata.response_code = ResponseCode::FormErr;
        return;
    };
    if asked.metadata.op_code != OpCode::Query || query.query_class() != DNSClass::IN {
        reply.metadata.response_code = ResponseCode::NotImp;
        return;
    }
    let question = match query.query_type() {
        RecordType::A => Question::Address(text(query.name())),
        RecordType::PTR => Question::Pointer(text(query.name())),
        _ => Question::Other(text(query.name())),
    };
    match resolve(&question) {
        Answer::Records { ttl, data } => {
            reply.metadata.authoritative = true;
            for data in data {
                let name = query.name().clone();
                if let Some(data) = rdata(data) {
                    reply.add_answer(Record::from_rdata(name, ttl, data));
                }
            }
        }
        Answer::Empty => reply.metadata.authoritative = true,
        Answer::NoSuchName => reply.metadata.response_code = ResponseCode::NXDomain,
        Answer::Refused => reply.metadata.response_code = ResponseCode::Refused,
    }
}

/// A name as the lab compares them: lower case, without the last dot.
fn text(name: &Name) -> String {
    let mut text = name.to_ascii().to_ascii_lowercase();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

fn rdata(data: Data) -> Option<RData> {
    Some(match data {
        Data::Address(address) => RData::A(A(address)),
        Data::Alias(name) => RData::CNAME(CNAME(Name::from_ascii(name).ok()?)),
        Data::Pointer(name) => RData::PTR(PTR(Name::from_ascii(name).ok()?)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hickory_proto::op::Query;
    use std::net::Ipv4Addr;

    fn ask(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    fn reply(request: &[u8], carrier: Carrier, answer: Answer) -> Message {
        Message::from_vec(&super::answer(request, carrier, |_| answer).unwrap()).unwrap()
    }

    #[test]
    fn answers_in_kind() {
        let request = ask("IP-10-0-0-4.us-west-2.compute.internal.", RecordType::A);
        let mut seen = None;
        super::answer(&request, Carrier::Udp, |question| {
            seen = Some(question.clone());
            Answer::Empty
        });
        let wanted = "ip-10-0-0-4.us-west-2.compute.internal".to_owned();
        assert_eq!(seen, Some(Question::Address(wanted)));
        let address = Ipv4Addr::new(10, 0, 0, 4);
        let data = vec![Data::Address(address)];
        let reply = reply(&request, Carrier::Udp, Answer::Records { ttl: 60, data });
        assert_eq!(reply.answers.len(), 1);
        assert_eq!(reply.answers[0].data, RData::A(A(address)));
    }

    #[test]
    fn what_does_not_fit_is_truncated() {
        let request = ask("many.example.", RecordType::A);
        let data: Vec<_> = (0..100)
            .map(|n| Data::Address(Ipv4Addr::from(0x0a00_0000 + n)))
            .collect();
        let records = Answer::Records { ttl: 1, data };
        assert!(
            reply(&request, Carrier::Udp, records.clone())
                .metadata
                .truncation
        );
        assert_eq!(reply(&request, Carrier::Tcp, records).answers.len(), 100);
    }

    #[test]
    fn rubbish_gets_an_error_or_nothing() {
        let error = answer(&[1, 2, 0, 0, 9], Carrier::Udp, |_| Answer::Empty).unwrap();
        let error = Message::from_vec(&error).unwrap();
        assert_eq!(error.metadata.response_code, ResponseCode::FormErr);
        assert!(answer(&[1], Carrier::Udp, |_| Answer::Empty).is_none());
        let mut response = ask("a.example.", RecordType::A);
        response[2] |= 0x80;
        assert!(answer(&response, Carrier::Udp, |_| Answer::Empty).is_none());
    }
}
