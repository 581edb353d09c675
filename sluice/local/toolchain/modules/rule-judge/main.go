// Asks prometheus-operator's own code, the one behind its admission webhook, whether it would take a PrometheusRule.
// Each argument is a manifest; what is wrong is written one fault a line, and the process then ends with 1.
package main

import (
	"fmt"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"sigs.k8s.io/yaml"
)

func main() {
	found := false
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		var rule monitoringv1.PrometheusRule
		if err := yaml.UnmarshalStrict(text, &rule); err != nil {
			fmt.Printf("%s: %v\n", file, err)
			found = true
			continue
		}
		for _, fault := range operator.ValidateRule(rule.Spec) {
			fmt.Printf("%s: %v\n", file, fault)
			found = true
		}
	}
	if found {
		os.Exit(1)
	}
}
