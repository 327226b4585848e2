//! Who is who.

use crate::world::{ADMIN, World, authority, issue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::certificates::Usage;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::json;

/// K8S-API: a certificate says who its holder is, if the cluster's authority vouches for it; a token beside
/// it still counts.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_say_who_their_holder_is() {
    let world = World::new().await;
    let review = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let ann = issue(&world.authority, "ann", "system:masters", Usage::Client);
    let mut wire = world.connect(Some(&ann)).await;
    let answer = wire
        .ask("POST", review, "", &body.to_string())
        .await
        .document();
    let user = &answer["status"]["userInfo"];
    assert_eq!(user["username"], "ann");
    assert_eq!(
        user["groups"],
        json!(["system:masters", "system:authenticated"])
    );
    let id = &user["extra"]["authentication.kubernetes.io/credential-id"][0];
    assert!(id.as_str().unwrap().starts_with("X509SHA256="));
    let (_, other) = authority();
    let server = issue(&world.authority, "bob", "", Usage::Server);
    for wrong in [
        issue(&other, "eve", "system:masters", Usage::Client),
        server,
    ] {
        let mut wire = world.connect(Some(&wrong)).await;
        let answer = wire.ask("POST", review, "", &body.to_string()).await;
        assert_eq!(answer.code, 401);
        let token = format!("authorization: Bearer {ADMIN}\r\n");
        let answer = wire
            .ask("POST", review, &token, &body.to_string())
            .await
            .document();
        assert_eq!(answer["status"]["userInfo"]["username"], "kubernetes-admin");
    }
}

/// K8S-API: who checks service accounts' tokens by themselves finds the key that they are signed by.
#[tokio::test(flavor = "multi_thread")]
async fn issuers_are_discovered() {
    let world = World::new().await;
    world.pod("p", "").await;
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let made = world
        .create(path, &json!({"spec": {"audiences": ["sts"]}}))
        .await;
    let token = made["status"]["token"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let part = |index| -> serde_json::Value {
        let text = signed.split('.').nth(index).unwrap();
        serde_json::from_slice(&decoded(text)).unwrap()
    };
    let mut wire = world.connect(None).await;
    let about = wire
        .ask("GET", "/.well-known/openid-configuration", "", "")
        .await
        .document();
    assert_eq!(about["issuer"], part(1)["iss"]);
    let keys = wire.ask("GET", "/openid/v1/jwks", "", "").await.document();
    let key = &keys["keys"][0];
    assert_eq!(key["kid"], part(0)["kid"]);
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        point.extend(decoded(key[coordinate].as_str().unwrap()));
    }
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &decoded(signature)).unwrap();
}

/// K8S-API: nobody gives away what they don't have, unless they may escalate or bind.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_away_what_they_dont_have() {
    let world = World::new().await;
    let group = "/apis/rbac.authorization.k8s.io/v1";
    let cluster_binding = |role: &str| {
        json!({
            "metadata": {"name": role}, "subjects": [{"kind": "User", "name": "ann"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        })
    };
    let role =
        |name: &str, rules: serde_json::Value| json!({"metadata": {"name": name}, "rules": rules});
    let writer = json!([{
        "apiGroups": ["rbac.authorization.k8s.io"], "verbs": ["create"],
        "resources": ["roles", "rolebindings"],
    }]);
    world
        .create(&format!("{group}/clusterroles"), &role("writer", writer))
        .await;
    for name in ["writer", "view"] {
        world
            .create(
                &format!("{group}/clusterrolebindings"),
                &cluster_binding(name),
            )
            .await;
    }
    let ask = async |path: &str, object: &serde_json::Value| {
        let mut wire = world.connect(None).await;
        let head = format!("authorization: Bearer {ADMIN}\r\nimpersonate-user: ann\r\n");
        let path = format!("{group}/namespaces/default/{path}");
        let answer = wire.ask("POST", &path, &head, &object.to_string()).await;
        (
            answer.code,
            answer.document()["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let pods = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]);
    assert_eq!(ask("roles", &role("own", pods)).await.0, 201);
    let secrets =
        json!([{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "delete"]}]);
    let (code, told) = ask("roles", &role("more", secrets)).await;
    let why = "user \"ann\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"delete\"]}";
    assert_eq!(
        (code, told.as_str()),
        (
            403,
            format!("roles.rbac.authorization.k8s.io \"more\" is forbidden: {why}").as_str()
        )
    );
    let bind = |role: &str| {
        json!({
            "metadata": {"name": role}, "subjects": [{"kind": "User", "name": "bob"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        })
    };
    assert_eq!(ask("rolebindings", &bind("view")).await.0, 201);
    assert_eq!(ask("rolebindings", &bind("admin")).await.0, 403);
    assert_eq!(ask("rolebindings", &bind("nothing")).await.0, 404);
    let binder = json!([{
        "apiGroups": ["rbac.authorization.k8s.io"], "verbs": ["bind"], "resources": ["clusterroles"],
        "resourceNames": ["admin"],
    }]);
    world
        .create(&format!("{group}/clusterroles"), &role("binder", binder))
        .await;
    world
        .create(
            &format!("{group}/clusterrolebindings"),
            &cluster_binding("binder"),
        )
        .await;
    assert_eq!(ask("rolebindings", &bind("admin")).await.0, 201);
}
