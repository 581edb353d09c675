"""The settings of one environment, with everything in them."""

from __future__ import annotations

from pathlib import Path

from sluice.registry import (
    load_registry,
)

REGISTRY = load_registry(Path(__file__).parent / "right")

DIGEST = "sha256:" + "0" * 64

RIGHT = f"""\
encryptionsalt: v1:abc:def
config:
  kubernetes:context: local
  sluice:namespace: sluice-dev
  sluice:protected: true
  sluice:gateway:
    image: sluice.local/gateway@{DIGEST}
    replicas: 2
    node_port: 30080
    resources: {{requests: {{cpu: 250m}}, limits: {{cpu: "1", memory: 512Mi}}}}
  sluice:stub_provider: {{image: "sluice.local/stub-provider@{DIGEST}"}}
  sluice:provider_addresses: {{mistral: "http://stub-provider:8080/mistral/v1"}}
  sluice:mistral-api-key: {{secure: v1:abc:def}}
  sluice:cache: {{url: "rediss://redis.example.com:6380/1"}}
  sluice:redis-password: {{secure: v1:abc:def}}
  sluice:network: {{callers_from: [halo], api_server: [10.0.0.1/32]}}
  sluice:ingress: {{host: llm.example.com, tls_secret: gateway-tls, annotations: {{a.example.com/b: "4m"}}}}
  sluice:quota: {{pods: 30, cpu: "8", memory: 8Gi}}
  sluice:prometheus: {{url: "http://prometheus.example.com:9090/"}}
  sluice:guard: {{image: "sluice.local/guard@{DIGEST}", replicas: 2}}
  sluice:operators: [llm-on-call]
  sluice:reviewers: [legal-reviewers]
  sluice:route: {{host: llm.example.com, gateway: shared, gateway_namespace: gateways, listener: https}}
  sluice:litellm: {{image: "sluice.local/litellm@{DIGEST}", providers: {{openai: openai}}, replicas: 2}}
  sluice:litellm-master-key: {{secure: v1:abc:def}}
  sluice:report:
    schedule: "30 5 * * 1-5"
    to: {{mail: {{server: "smtp://relay.mail.svc:25", from: a@example.com, to: [b@example.com]}}, post: "http://x/y"}}
"""
