//! What an unmodified kubectl makes, asks and changes, with the control plane at work behind it.

use crate::world::{ADMIN, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A `kubectl` of this machine; without one the tests say so and pass. Google's SDK calls a dispatcher
/// `kubectl`, so its own are looked at first.
fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    let sdk = PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.32");
    let found = std::iter::once(sdk)
        .chain(on_path)
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: this machine has no kubectl");
    }
    found
}

struct Shell {
    world: World,
    kubectl: PathBuf,
    folder: PathBuf,
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Shell {
    /// A cluster with its control plane, and a kubectl that knows it.
    async fn new(name: &str) -> Option<Self> {
        let kubectl = kubectl()?;
        let world = World::new().await;
        tokio::spawn(kube::controllers::run(world.cluster.clone()));
        tokio::spawn(kube::scheduler::run(world.cluster.clone()));
        let folder = std::env::temp_dir().join(format!("skylab-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": ADMIN}}],
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{}", world.address),
                "certificate-authority-data": STANDARD.encode(&world.trusted),
            }}],
        });
        std::fs::write(folder.join("config"), config.to_string()).unwrap();
        let shell = Self {
            world,
            kubectl,
            folder,
        };
        shell.until("get serviceaccount default").await;
        Some(shell)
    }

    async fn run(&self, words: &[&str], input: &str) -> (bool, String) {
        let mut command = Command::new(&self.kubectl);
        command
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(words)
            .env("KUBECONFIG", self.folder.join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(input.as_bytes()).unwrap();
            drop(stdin);
            child.wait_with_output().unwrap()
        });
        let output = ran.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        (output.status.success(), said)
    }

    async fn ok(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let (well, said) = self.run(&words, "").await;
        assert!(well, "{line}: {said}");
        said
    }

    async fn refused(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let (well, said) = self.run(&words, "").await;
        assert!(!well, "{line}: {said}");
        said
    }

    /// Says a line until it is answered well.
    async fn until(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        for _ in 0..100 {
            let (well, said) = self.run(&words, "").await;
            if well {
                return said;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("never: {line}");
    }

    /// A node that says that it is ready.
    async fn node(&self, name: &str) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        self.world.create("/api/v1/nodes", &node).await;
        let status = json!({"status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "capacity": {"cpu": "4", "memory": "4Gi", "pods": "20"},
            "allocatable": {"cpu": "4", "memory": "4Gi", "pods": "20"},
        }})
        .to_string();
        let words = [
            "patch",
            "node",
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
        ];
        let words: Vec<&str> = words.into_iter().chain([status.as_str()]).collect();
        let (well, said) = self.run(&words, "").await;
        assert!(well, "{said}");
    }
}

/// K8S-API: `kubectl create`, `run`, `expose`, `autoscale`, `debug`, `top` and `get` of all kinds.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_makes_what_it_can_make() {
    let Some(shell) = Shell::new("makes").await else {
        return;
    };
    shell.node("n1").await;
    let class = json!({
        "metadata": {"name": "standard"}, "provisioner": "example.com/disks",
        "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    });
    let classes = "/apis/storage.k8s.io/v1/storageclasses";
    shell.world.create(classes, &class).await;
    let mut wrong = Vec::new();
    for line in [
        "run web --image=web:1 --labels=app=web --port=80 --env=A=b",
        "run once --image=web:1 --restart=Never -- sh -c true",
        "create deployment front --image=web:1 --replicas=2 --port=80",
        "create job count --image=web:1 -- sh -c true",
        "create cronjob tick --image=web:1 --schedule=*/5 * * * * -- date",
        "create job now --from=cronjob/tick",
        "create ingress web --rule=example.com/=front:80 --class=nginx",
        "create quota small --hard=configmaps=20,pods=20",
        "create configmap c --from-literal=a=b",
        "create secret generic s --from-literal=a=b",
        "create secret docker-registry r --docker-username=u --docker-password=p --docker-server=registry.example.com",
        "create serviceaccount robot",
        "create token robot",
        "create role reader --verb=get,list --resource=pods",
        "create rolebinding readers --role=reader --serviceaccount=default:robot",
        "create clusterrole seer --verb=get --resource=nodes",
        "create clusterrolebinding seers --clusterrole=seer --group=people",
        "create priorityclass urgent --value=1000",
        "create poddisruptionbudget front --selector=app=front --min-available=1",
        "create service clusterip plain --tcp=80:80",
        "create service nodeport open --tcp=80:80",
        "create service loadbalancer wide --tcp=80:80",
        "create service externalname away --external-name=example.com",
        "create namespace other",
        "expose deployment front --port=80",
        "autoscale deployment front --min=1 --max=5 --cpu-percent=50",
        "debug web --image=tools:1 --container=tools -- sh",
        "debug web --image=tools:1 --copy-to=web-copy --share-processes",
        "debug node/n1 --image=tools:1",
        "annotate pod web note=x",
        "label pod web tier=front",
        "taint nodes n1 gpu=yes:NoSchedule",
        "taint nodes n1 gpu-",
        "cordon n1",
        "uncordon n1",
        "drain n1 --ignore-daemonsets --force --dry-run=server",
        "rollout history deployment front",
        "rollout pause deployment front",
        "rollout resume deployment front",
        "set resources deployment front --requests=cpu=100m",
        "set serviceaccount deployment front robot",
        "set selector service plain app=front",
        "set subject rolebinding readers --user=ann",
        "scale deployment front --replicas=3",
        "auth can-i list pods --as=system:serviceaccount:default:robot",
        "auth whoami",
        "auth reconcile -f - --dry-run=client",
        "describe pod web",
        "describe node n1",
        "describe deployment front",
        "describe job count",
        "describe cronjob tick",
        "describe ingress web",
        "describe quota small",
        "describe hpa front",
        "describe pdb front",
        "describe service front",
        "describe priorityclass urgent",
        "describe sc standard",
        "describe sa robot",
        "describe ns default",
        "get events",
        "get all",
        "get all -A",
        "get pods,services,deployments -o wide",
        "get ns,nodes,pv,pvc,sc,quota,limits,rc,hpa,pdb,ing,cj,jobs,ep,endpointslices,leases,runtimeclasses",
        "get pods --sort-by=.metadata.creationTimestamp",
        "get pods -o custom-columns=NAME:.metadata.name",
        "get --raw /apis/metrics.k8s.io/v1beta1/nodes",
        "explain pod.spec.containers",
        "explain hpa --api-version=autoscaling/v1",
        "explain podmetrics",
        "api-resources",
        "api-versions",
        "version",
        "cluster-info",
        "delete pod web --now --wait=false",
        "delete deployment front --cascade=foreground --wait=false",
        "delete ns other",
    ] {
        // A schedule is one word.
        let words: Vec<String> = line
            .replace("*/5 * * * *", "*/5\u{a0}*\u{a0}*\u{a0}*\u{a0}*")
            .split(' ')
            .map(|word| word.replace('\u{a0}', " "))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (well, said) = shell.run(&words, "").await;
        if !well {
            wrong.push(format!("{line}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        shell
            .ok("get ingress web -o jsonpath={.spec.ingressClassName}")
            .await
            == "nginx"
    );
    assert!(
        shell
            .refused("top nodes")
            .await
            .contains("metrics not available yet")
    );
    let all: Value = serde_json::from_str(&shell.ok("get hpa front -o json").await).unwrap();
    assert_eq!(all["apiVersion"], "autoscaling/v2");
}
