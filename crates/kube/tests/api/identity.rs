//! Who is who.

use crate::world::{ADMIN, World, authority, issue};
use kube::certificates::Usage;
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
