//! K8S-API: bodies that are changed byte by byte, in each of their forms, and such as are made to hurt.

use super::*;
use crate::schema::{Field, Form, Of, Schema, TypeId};

/// Protobuf of an object, as far as it is text, numbers, lists and structures.
fn protobuf(object: &Value) -> Vec<u8> {
    let (version, kind) = (
        object["apiVersion"].as_str().unwrap(),
        object["kind"].as_str().unwrap(),
    );
    let name = format!("{}.{kind}", crate::schema::protobuf::package(version));
    let raw = Schema::get()
        .find(&name)
        .map(|id| structure(id, object))
        .unwrap_or_default();
    let meta = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &meta), field(2, &raw)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
    out
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let length = varint(content.len().try_into().unwrap());
    [varint(u64::from(number) << 3 | 2), length, content.to_vec()].concat()
}

fn structure(id: TypeId, value: &Value) -> Vec<u8> {
    let Form::Struct(fields) = &Schema::get().of(id).form else {
        return Vec::new();
    };
    let fields = fields
        .iter()
        .filter_map(|known| Some((known, value.get(known.name)?)));
    fields
        .flat_map(|(known, value)| member(known, value))
        .collect()
}

fn member(known: &Field, value: &Value) -> Vec<u8> {
    let number = known.number.unwrap_or(1);
    match (Schema::get().resolve(&known.of), value) {
        (Of::List(item), Value::Array(items)) => items
            .iter()
            .flat_map(|one| content(number, item, one))
            .collect(),
        (Of::Map(item), Value::Object(entries)) => entries
            .iter()
            .flat_map(|(key, one)| {
                field(
                    number,
                    &[field(1, key.as_bytes()), content(2, item, one)].concat(),
                )
            })
            .collect(),
        (of, value) => content(number, of, value),
    }
}

fn content(number: u32, of: &Of, value: &Value) -> Vec<u8> {
    match (Schema::get().resolve(of), value) {
        (Of::Named(id), value) => field(number, &structure(*id, value)),
        (Of::Quantity, Value::String(text)) => field(number, &field(1, text.as_bytes())),
        (Of::IntOrString, Value::String(text)) => {
            field(number, &[vec![8, 1], field(3, text.as_bytes())].concat())
        }
        (_, Value::String(text)) => field(number, text.as_bytes()),
        (_, Value::Number(value)) => {
            let value = value.as_u64().unwrap_or_default();
            [varint(u64::from(number) << 3), varint(value)].concat()
        }
        _ => Vec::new(),
    }
}

/// Changes some of the bytes: one at a time, or a piece of them that goes, comes twice or many times.
fn spoil(choices: &mut Choices, body: &mut Vec<u8>) {
    for _ in 0..choices.next(4) {
        let at = choices.next(body.len());
        let to = (at + 1 + choices.next(12)).min(body.len());
        match choices.next(6) {
            _ if body.is_empty() => return,
            0 => body[at] = u8::try_from(choices.next(256)).unwrap(),
            1 => body[at] ^= 1 << choices.next(8),
            2 => drop(body.drain(at..to)),
            3 => body.truncate(at),
            4 => {
                let odd = b"[]{}\":,-&*!|>%@#'\n \t\0\xff";
                body.insert(at, odd[choices.next(odd.len())]);
            }
            _ => {
                let piece = body[at..to].repeat(1 + choices.next(2_000));
                body.splice(at..at, piece);
            }
        }
    }
}

fn operations(choices: &mut Choices) -> Value {
    let paths = [
        "",
        "/spec",
        "/metadata/labels",
        "/metadata/labels/a",
        "/spec/a",
        "/metadata/managedFields",
        "/data",
        "/spec/selector/-",
        "/spec/template/spec/containers/0",
        "/spec/ports/-",
        "/x/~1y/~0",
        "/status",
    ];
    let operation = |choices: &mut Choices| {
        let kind = ["add", "copy", "move", "remove", "replace", "test"][choices.next(6)];
        let (path, from) = (
            paths[choices.next(paths.len())],
            paths[choices.next(paths.len())],
        );
        json!({"op": kind, "path": path, "from": from, "value": choices.value()})
    };
    let count = [1, 1, 1, 40][choices.next(4)];
    (0..count).map(|_| operation(choices)).collect()
}

/// K8S-API: whatever bytes come as YAML, protobuf, JSON patch, merge patch or any other form, they are answered.
#[test]
fn every_byte_is_answered() {
    let mut store = small_cluster();
    let mut choices = Choices(7);
    let samples = samples();
    let (mut taken, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..8_000 {
        let (path, kind, sample) = &samples[choices.next(samples.len())];
        let mut object = sample.clone();
        let name = match *kind {
            "CustomResourceDefinition" => "ks.g.io".to_owned(),
            _ => format!("n{}", round % 3),
        };
        object["apiVersion"] = version(path).into();
        object["kind"] = (*kind).into();
        object["metadata"] = json!({"name": name, "labels": {"a": "b"}});
        let one = format!("{path}/{name}");
        let (form, mut body) = match choices.next(7) {
            0 => ("application/json", object.to_string().into_bytes()),
            1 => (
                "application/yaml",
                serde_norway::to_string(&object).unwrap().into_bytes(),
            ),
            2 => ("application/vnd.kubernetes.protobuf", protobuf(&object)),
            3 => (
                "application/json-patch+json",
                operations(&mut choices).to_string().into_bytes(),
            ),
            4 => (
                "application/merge-patch+json",
                object.to_string().into_bytes(),
            ),
            5 => (
                "application/strategic-merge-patch+json",
                object.to_string().into_bytes(),
            ),
            _ => (
                "application/apply-patch+yaml",
                serde_norway::to_string(&object).unwrap().into_bytes(),
            ),
        };
        spoil(&mut choices, &mut body);
        let (method, path) = match form {
            form if form.contains("patch") => (Method::Patch, &one),
            _ if choices.next(2) == 0 => (Method::Put, &one),
            _ => (Method::Post, &(*path).to_owned()),
        };
        match send_bytes(&mut store, method, path, form, body) {
            None => *taken.entry(form).or_insert(0) += 1,
            Some(code) => {
                // The ports of nodes may run out, which is the server's fault in Kubernetes' words.
                let full = code == 500 && *kind == "Service";
                assert!(
                    full || (400..500).contains(&code),
                    "{code} in round {round}"
                );
                *refused.entry(form).or_insert(0) += 1;
            }
        }
        if choices.next(8) == 0 {
            send(
                &mut store,
                Method::Delete,
                &one,
                "application/json",
                &Value::Null,
            );
        }
    }
    // Neither a server that takes everything nor one that refuses everything would prove anything.
    for many in [&taken, &refused] {
        assert!(
            many.len() == 7 && many.values().all(|count| *count > 5),
            "{taken:?} {refused:?}"
        );
    }
}

/// K8S-API: what is nested beyond reason is refused in every form, on a stack as small as a thread's may be, and
/// what was changed a little at a time grows no deeper either.
#[test]
fn nesting_is_refused() {
    let mut store = small_cluster();
    let maps = "/api/v1/namespaces/default/configmaps";
    let definition = samples()
        .into_iter()
        .find(|sample| sample.1 == "CustomResourceDefinition");
    let (path, kind, mut definition) = definition.unwrap();
    definition["metadata"] = json!({"name": "ks.g.io"});
    definition["kind"] = kind.into();
    definition["apiVersion"] = version(path).into();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    assert_eq!(
        send(
            &mut store,
            Method::Post,
            path,
            "application/json",
            &definition
        ),
        None
    );
    let kinds = "/apis/g.io/v1/namespaces/default/ks";
    let own = json!({"apiVersion": "g.io/v1", "kind": "K", "metadata": {"name": "k"}, "a": {}});
    assert_eq!(
        send(&mut store, Method::Post, kinds, "application/json", &own),
        None
    );
    let one = format!("{kinds}/k");

    let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for levels in [200, 3_000, 500_000] {
        let deep = deep(levels);
        for form in ["application/json", "application/yaml"] {
            let body = format!("{{\"data\": {deep}}}").into_bytes();
            assert_eq!(
                send_bytes(&mut store, Method::Post, maps, form, body),
                Some(400)
            );
        }
        for form in FORMS {
            let body = if form == "application/json-patch+json" {
                format!("[{{\"op\": \"add\", \"path\": \"/a\", \"value\": {deep}}}]")
            } else {
                format!(
                    "{{\"apiVersion\": \"g.io/v1\", \"kind\": \"K\", \"metadata\": {{\"name\": \"k\"}}, \"a\": {deep}}}"
                )
            };
            let code = send_bytes(&mut store, Method::Patch, &one, form, body.into_bytes());
            // Users' kinds take no strategic merge patch.
            assert!(matches!(code, Some(400 | 415)), "{code:?} for {form}");
        }
        let mut schema = Vec::new();
        for _ in 0..levels.min(3_000) {
            schema = field(29, &[field(1, b"a"), field(2, &schema)].concat());
        }
        let version = field(7, &field(4, &field(1, &schema)));
        let meta = [
            field(1, b"apiextensions.k8s.io/v1"),
            field(2, b"CustomResourceDefinition"),
        ];
        let body = [
            b"k8s\0".to_vec(),
            field(1, &meta.concat()),
            field(2, &field(2, &version)),
        ]
        .concat();
        let code = send_bytes(
            &mut store,
            Method::Post,
            path,
            "application/vnd.kubernetes.protobuf",
            body,
        );
        assert_eq!(code, Some(400));
    }
    let forms = [
        "application/merge-patch+json",
        "application/json-patch+json",
    ];
    let mut refused = [0, 0];
    for round in 0..40 {
        let pointer = "/a".repeat(round * 20 % 100);
        let patch = json!([
            {"op": "add", "path": format!("{pointer}/a"), "value": serde_json::from_str::<Value>(&deep(60)).unwrap()},
            {"op": "copy", "from": "/a", "path": "/a/a"}, {"op": "copy", "from": "", "path": "/a/b"},
        ]);
        let merge: Value = serde_json::from_str(&deep(90)).unwrap();
        for (index, (form, body)) in forms.iter().zip([&merge, &patch]).enumerate() {
            let code = send(&mut store, Method::Patch, &one, form, body);
            refused[index] += usize::from(code.is_some());
        }
    }
    assert!(refused[1] >= 30, "{refused:?}");
    let kept = store.get(&Key::new("ks.g.io", "default", "k")).unwrap();
    // What is stored is read again, with what is put around it.
    serde_json::from_str::<Value>(&json!([[[[kept]]]]).to_string()).unwrap();
}

/// K8S-API: an expression that is nested beyond reason is refused, and any other can be evaluated on the stack that
/// a cluster's thread has.
#[test]
fn expressions_are_bounded() {
    let all = || {
        for times in [20_000, 990, 495, 245, 90] {
            for (open, middle, close) in [
                ("(", "true", ")"),
                ("[", "1", "]"),
                ("{1: ", "1", "}"),
                ("!", "true", ""),
                ("!(", "true", ")"),
                ("-", "1", ""),
                ("true || ", "true", ""),
                ("false == ", "true", ""),
                ("true ? true : ", "true", ""),
                ("true ? ", "true", ": true"),
                ("1 + ", "1 == 1", ""),
                ("", "self", ".a"),
                ("", "[1]", "[0]"),
                ("[1].map(x, ", "1", ")"),
            ] {
                evaluate(&format!(
                    "{}{middle}{}",
                    open.repeat(times),
                    close.repeat(times)
                ));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(crate::cluster::STACK);
    thread.spawn(all).unwrap().join().unwrap();
}

/// Has a rule evaluated, if it is one.
fn evaluate(rule: &str) {
    let mut store = small_cluster();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ks.g.io"},
        "spec": {
            "group": "g.io", "scope": "Namespaced", "names": {"plural": "ks", "kind": "K"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-validations": [{"rule": rule}],
            }}}],
        },
    });
    let (form, path) = (
        "application/json",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    );
    let code = send(&mut store, Method::Post, path, form, &definition);
    assert!(matches!(code, None | Some(422)), "{rule}: {code:?}");
    let object = json!({"apiVersion": "g.io/v1", "kind": "K", "metadata": {"name": "k"}});
    send(
        &mut store,
        Method::Post,
        "/apis/g.io/v1/namespaces/default/ks",
        form,
        &object,
    );
}
