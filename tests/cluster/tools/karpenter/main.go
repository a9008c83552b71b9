// Karpenter with kwok's cloud, whose machines don't exist. Its own program of this kind answers questions about metrics and health
// at all addresses of the machine, which no flag changes; this one listens nowhere.
package main

import (
	"log"

	"k8s.io/client-go/rest"
	controllerruntime "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	kwok "sigs.k8s.io/karpenter/kwok/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator"
)

func main() {
	controllerruntime.NewManager = silent
	ctx, karpenter := operator.NewOperator()
	sizes, err := kwok.ConstructInstanceTypes(ctx)
	if err != nil {
		log.Fatal(err)
	}
	kube := karpenter.GetClient()
	cloud := kwok.NewCloudProvider(ctx, kube, sizes)
	cluster := state.NewCluster(karpenter.Clock, kube, cloud)
	karpenter.WithControllers(ctx, controllers.NewControllers(
		ctx, karpenter.Manager, karpenter.Clock, kube, karpenter.EventRecorder, cloud, cloud, cluster, karpenter.InstanceTypeStore,
	)...).Start(ctx)
}

// silent makes a manager that listens nowhere: "0" is no address.
func silent(config *rest.Config, options manager.Options) (manager.Manager, error) {
	options.Metrics.BindAddress = "0"
	options.HealthProbeBindAddress = "0"
	return manager.New(config, options)
}
