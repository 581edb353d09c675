// Custom resource definitions lie in the modules of those who serve them: read from there, never compiled.
module sluice.local/crds

go 1.26

require (
	github.com/external-secrets/external-secrets v0.20.4
	github.com/grafana/grafana-operator/v5 v5.21.4
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.3.0
)
