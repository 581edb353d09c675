// Package register has the controller know no generator: they bring in the clients of several clouds.
package register
