//go:build tools

package oracle

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
