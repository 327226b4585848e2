//! DNS messages: a request's bytes in, the answer's bytes out.

use crate::answer::Answer;
use crate::question::Question;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Record};

/// What fits a UDP answer when the client says nothing (RFC 1035).
const PLAIN_PAYLOAD: u16 = 512;
/// What fits whatever the client says: more would be cut into fragments.
const PAYLOAD: u16 = 1232;

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Udp,
    Tcp,
}

impl Carrier {
    /// Its name in metrics and the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// A client's question and how it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: u16,
    pub(crate) question: Question,
    pub(crate) carrier: Carrier,
    pub(crate) recursion_desired: bool,
    pub(crate) checking_disabled: bool,
    /// What fits into an answer and whether signatures are asked for, where the client says.
    pub(crate) edns: Option<(u16, bool)>,
    /// How many bytes the request had.
    pub(crate) size: usize,
}

impl Asked {
    /// Whether signatures are asked for.
    pub(crate) fn signed(&self) -> bool {
        self.edns.is_some_and(|(_, signed)| signed)
    }

    /// The size that the client says it takes.
    pub(crate) fn payload(&self) -> u16 {
        self.edns.map_or(PLAIN_PAYLOAD, |(payload, _)| payload)
    }

    fn limit(&self) -> usize {
        match self.carrier {
            Carrier::Tcp => usize::from(u16::MAX),
            Carrier::Udp => usize::from(self.payload().max(PLAIN_PAYLOAD)),
        }
    }
}

/// Reads a request; or gives what it is answered without being looked at, if anything.
pub(crate) fn read(request: &[u8], carrier: Carrier) -> Result<Asked, Option<Vec<u8>>> {
    let message = Message::from_vec(request).map_err(|_| malformed(request))?;
    let metadata = &message.metadata;
    if metadata.message_type != MessageType::Query {
        return Err(None);
    }
    let refuse = |code| Err(refusal(&message, code));
    if metadata.op_code != OpCode::Query {
        return refuse(ResponseCode::NotImp);
    }
    let [query] = &message.queries[..] else {
        return refuse(ResponseCode::FormErr);
    };
    if message.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return refuse(ResponseCode::BADVERS);
    }
    if query.query_class() != DNSClass::IN {
        return refuse(ResponseCode::Refused);
    }
    Ok(Asked {
        id: metadata.id,
        question: Question::from_query(query),
        carrier,
        recursion_desired: metadata.recursion_desired,
        checking_disabled: metadata.checking_disabled,
        edns: message
            .edns
            .as_ref()
            .map(|edns| (edns.max_payload(), edns.flags().dnssec_ok)),
        size: request.len(),
    })
}

/// Writes an answer, as much of it as fits.
pub(crate) fn write(asked: &Asked, answer: &Answer) -> Option<Vec<u8>> {
    let mut message = Message::response(asked.id, OpCode::Query);
    message.metadata.response_code = answer.code;
    message.metadata.authoritative = answer.authoritative;
    message.metadata.recursion_available = answer.recursive;
    message.metadata.recursion_desired = asked.recursion_desired;
    message.metadata.checking_disabled = asked.checking_disabled;
    message.metadata.truncation = answer.truncated;
    let Question { name, kind, .. } = &asked.question;
    message.add_query(hickory_proto::op::Query::query(name.clone(), *kind));
    if let Some((payload, signed)) = asked.edns {
        message.set_edns(edns(payload, signed));
    }
    let sections = [&answer.answers, &answer.authorities, &answer.additionals];
    let all = sections.iter().map(|section| section.len()).sum();
    fill(&mut message, sections, all);
    if let Some(bytes) = bytes(&message, asked.limit()) {
        return Some(bytes);
    }
    message.metadata.truncation = true;
    // Between what fits for sure and what doesn't lies what fits just so.
    let (mut fits, mut too_many) = (0, all);
    while fits + 1 < too_many {
        let middle = fits.midpoint(too_many);
        fill(&mut message, sections, middle);
        match bytes(&message, asked.limit()) {
            Some(_) => fits = middle,
            None => too_many = middle,
        }
    }
    fill(&mut message, sections, fits);
    bytes(&message, asked.limit())
}

fn edns(payload: u16, signed: bool) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(payload.max(PLAIN_PAYLOAD));
    edns.set_dnssec_ok(signed);
    edns
}

/// Puts the first so many records into a message.
fn fill(message: &mut Message, sections: [&Vec<Record>; 3], mut count: usize) {
    let mut first = |section: &Vec<Record>| {
        let taken = count.min(section.len());
        count -= taken;
        section[..taken].to_vec()
    };
    message.answers = first(sections[0]);
    message.authorities = first(sections[1]);
    message.additionals = first(sections[2]);
}

fn bytes(message: &Message, limit: usize) -> Option<Vec<u8>> {
    let bytes = message.to_vec().ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

/// To what can't be read: a format error, if there is at least an id to answer to.
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

fn refusal(asked: &Message, code: ResponseCode) -> Option<Vec<u8>> {
    let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
    message.metadata.response_code = code;
    message.metadata.recursion_desired = asked.metadata.recursion_desired;
    message.add_queries(asked.queries.iter().take(1).cloned());
    if asked.edns.is_some() {
        let mut edns = edns(PAYLOAD, false);
        edns.set_rcode_high(code.high());
        message.set_edns(edns);
    }
    message.to_vec().ok()
}

/// A question for another resolver.
pub(crate) fn question(asked: &Asked) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = asked.recursion_desired;
    message.metadata.checking_disabled = asked.checking_disabled;
    let Question { name, kind, .. } = &asked.question;
    message.add_query(hickory_proto::op::Query::query(name.clone(), *kind));
    if asked.edns.is_some() {
        message.set_edns(edns(PAYLOAD, asked.signed()));
    }
    message
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::{Name, RData, RecordType};
    use proptest::prelude::*;

    fn request(payload: Option<u16>) -> Vec<u8> {
        let mut message = Message::query();
        let name = Name::from_ascii("MANY.example.").unwrap();
        message.add_query(Query::query(name, RecordType::A));
        if let Some(payload) = payload {
            message.set_edns(edns(payload, true));
        }
        message.to_vec().unwrap()
    }

    fn many(count: u8) -> Answer {
        let record = |last| {
            let data = RData::A(A::new(10, 0, 0, last));
            Record::from_rdata(Name::from_ascii("many.example.").unwrap(), 5, data)
        };
        Answer::authoritative((0..count).map(record).collect(), "test")
    }

    fn reply(payload: Option<u16>, carrier: Carrier, count: u8) -> (usize, Message) {
        let asked = read(&request(payload), carrier).unwrap();
        let bytes = write(&asked, &many(count)).unwrap();
        (bytes.len(), Message::from_vec(&bytes).unwrap())
    }

    /// K8S-NET: as many records as fit are there, and the client is told of the rest.
    #[test]
    fn what_does_not_fit_is_left_out() {
        let (size, message) = reply(None, Carrier::Udp, 100);
        assert!(message.metadata.truncation);
        assert!(size <= 512 && size > 480, "{size}");
        let (size, message) = reply(Some(1232), Carrier::Udp, 100);
        assert!(message.metadata.truncation && size <= 1232 && size > 1200);
        let (_, message) = reply(Some(4096), Carrier::Udp, 100);
        assert!(!message.metadata.truncation);
        let (_, message) = reply(None, Carrier::Tcp, 100);
        assert_eq!(
            (message.answers.len(), message.metadata.truncation),
            (100, false)
        );
    }

    #[test]
    fn the_question_comes_back_as_it_was_asked() {
        let (_, message) = reply(Some(4096), Carrier::Udp, 1);
        assert_eq!(message.queries[0].name().to_ascii(), "MANY.example.");
        assert!(message.edns.unwrap().flags().dnssec_ok);
        let (_, message) = reply(None, Carrier::Udp, 1);
        assert!(message.edns.is_none());
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_nothing() {
        let code = |refused: Result<Asked, Option<Vec<u8>>>| {
            let message = Message::from_vec(&refused.unwrap_err().unwrap()).unwrap();
            message.metadata.response_code
        };
        let udp = |bytes: &[u8]| read(bytes, Carrier::Udp);
        assert_eq!(code(udp(&[1, 2, 0, 0, 9])), ResponseCode::FormErr);
        assert_eq!(udp(&[1]), Err(None));
        let mut response = request(None);
        response[2] |= 0x80;
        assert_eq!(udp(&response), Err(None));
        let mut notify = request(None);
        notify[2] |= 4 << 3;
        assert_eq!(code(udp(&notify)), ResponseCode::NotImp);
        let mut chaos = request(None);
        *chaos.last_mut().unwrap() = 3;
        assert_eq!(code(udp(&chaos)), ResponseCode::Refused);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            if let Ok(asked) = read(&bytes, Carrier::Udp) {
                write(&asked, &many(3)).unwrap();
            }
        }

        #[test]
        fn a_broken_request_does_no_harm(at in 0_usize..40, byte in any::<u8>()) {
            let mut bytes = request(Some(1232));
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(asked) = read(&bytes, Carrier::Udp) {
                prop_assert!(write(&asked, &many(200)).unwrap().len() <= asked.limit());
            }
        }
    }
}
