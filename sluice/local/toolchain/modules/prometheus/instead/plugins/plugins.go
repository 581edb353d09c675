// Package plugins has Prometheus find pods by Kubernetes' API and by DNS, and by none of the twenty clouds.
package plugins

import (
	_ "github.com/prometheus/prometheus/discovery/dns"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
)
