// Package ecs stands in place of Traefik's own: Amazon's client is a tenth of what it is compiled from.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider is there for the configuration to name it, and provides nothing.
type Provider struct{}

// Init refuses to be used.
func (p *Provider) Init() error {
	return errors.New("this build of Traefik has no provider for ECS")
}

// Provide is never asked.
func (p *Provider) Provide(_ chan<- dynamic.Message, _ *safe.Pool) error {
	return nil
}
