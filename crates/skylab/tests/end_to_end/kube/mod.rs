//! Kubernetes clusters as `kubectl` meets them.

mod clusters;
mod controllers;
mod kinds;
mod objects;
mod reference;
mod resuming;

/// A deployment and its service.
pub(crate) const APP: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 31000}]}
"#;
