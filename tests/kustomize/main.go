// Builds with kustomize itself, so that what kaito makes of patches and images can be compared with it.
//
// Each line of standard input is a JSON object of files, by name; each line of output is what kustomize builds of them: a list
// of objects, or a string that says what is wrong. With the argument `keys` it prints the lists that Kubernetes' OpenAPI
// merges: one line a kind, with the path and the merge keys of each. With `exec` and a directory it builds that, with the functions
// that it names, as `kustomize build --enable-alpha-plugins --enable-exec` does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	if len(os.Args) > 1 && os.Args[1] == "keys" {
		for _, kind := range kinds {
			encoder.Encode(map[string]any{"apiVersion": kind[0], "kind": kind[1], "lists": lists(kind[0], kind[1])})
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "exec" {
		objects, err := buildWithFunctions(os.Args[2])
		if err != nil {
			encoder.Encode("error: " + err.Error())
			return
		}
		encoder.Encode(objects)
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var files map[string]string
		if err := json.Unmarshal(in.Bytes(), &files); err != nil {
			panic(err)
		}
		objects, err := build(files)
		if err != nil {
			encoder.Encode("error: " + err.Error())
			continue
		}
		encoder.Encode(objects)
	}
}

func build(files map[string]string) ([]map[string]any, error) {
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile(name, []byte(text)); err != nil {
			return nil, err
		}
	}
	return run(disk, ".", krusty.MakeDefaultOptions())
}

func buildWithFunctions(directory string) ([]map[string]any, error) {
	options := krusty.MakeDefaultOptions()
	options.PluginConfig = types.EnabledPluginConfig(types.BploUseStaticallyLinked)
	options.PluginConfig.FnpLoadingOptions.EnableExec = true
	return run(filesys.MakeFsOnDisk(), directory, options)
}

func run(disk filesys.FileSystem, directory string, options *krusty.Options) ([]map[string]any, error) {
	built, err := krusty.MakeKustomizer(options).Run(disk, directory)
	if err != nil {
		return nil, err
	}
	objects := []map[string]any{}
	for _, resource := range built.Resources() {
		object, err := resource.Map()
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// The built-in kinds that manifests are likely to hold.
var kinds = [][2]string{
	{"v1", "ConfigMap"}, {"v1", "Endpoints"}, {"v1", "LimitRange"}, {"v1", "Namespace"}, {"v1", "PersistentVolume"},
	{"v1", "PersistentVolumeClaim"}, {"v1", "Pod"}, {"v1", "PodTemplate"}, {"v1", "ReplicationController"},
	{"v1", "ResourceQuota"}, {"v1", "Secret"}, {"v1", "Service"}, {"v1", "ServiceAccount"},
	{"apps/v1", "DaemonSet"}, {"apps/v1", "Deployment"}, {"apps/v1", "ReplicaSet"}, {"apps/v1", "StatefulSet"},
	{"batch/v1", "CronJob"}, {"batch/v1", "Job"}, {"autoscaling/v1", "HorizontalPodAutoscaler"},
	{"networking.k8s.io/v1", "Ingress"}, {"networking.k8s.io/v1", "NetworkPolicy"}, {"policy/v1", "PodDisruptionBudget"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"}, {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding"},
	{"rbac.authorization.k8s.io/v1", "Role"}, {"rbac.authorization.k8s.io/v1", "RoleBinding"},
	{"scheduling.k8s.io/v1", "PriorityClass"}, {"storage.k8s.io/v1", "StorageClass"},
	{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"},
}

// lists gives the merged lists of a kind: path, then merge keys; none for a list of plain values.
func lists(apiVersion, kind string) map[string][]string {
	found := map[string][]string{}
	root := openapi.SchemaForResourceType(yaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
	if root == nil {
		panic(fmt.Sprintf("no schema for %s %s", apiVersion, kind))
	}
	walk(root, nil, found)
	return found
}

func walk(schema *openapi.ResourceSchema, path []string, found map[string][]string) {
	// What an API server alone writes is never patched here.
	if len(path) > 12 || (len(path) > 0 && (path[0] == "status" || path[len(path)-1] == "managedFields")) {
		return
	}
	strategy, keys := schema.PatchStrategyAndKeyList()
	for _, one := range strings.Split(strategy, ",") {
		if one == "merge" && (len(schema.Schema.Type) > 0 && schema.Schema.Type[0] == "array") {
			found[strings.Join(path, ".")] = keys
		}
	}
	if elements := schema.Elements(); elements != nil {
		walk(elements, path, found)
	}
	names := make([]string, 0, len(schema.Schema.Properties))
	for name := range schema.Schema.Properties {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if field := schema.Field(name); field != nil {
			walk(field, append(path[:len(path):len(path)], name), found)
		}
	}
}
