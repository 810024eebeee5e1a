// Prints the facts about Kubernetes' built-in types, without prose, as the table that the `eksile-kube` crate reads.
//
// Two sources, both of the release named in go.mod: the Go types (field names and order, what is left out when empty,
// the type names that error messages carry) and the OpenAPI definitions (list types, patch keys, defaults, enums).
// The format is described in crates/engine/apimachinery/src/schema/table.rs. Run through xtask/schema/generate.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	openapi "k8s.io/kubernetes/pkg/generated/openapi"
)

// The group versions that the release serves by default.
var served = []string{
	"v1", "admissionregistration.k8s.io/v1", "apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1", "apps/v1",
	"authentication.k8s.io/v1", "authorization.k8s.io/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1",
	"certificates.k8s.io/v1", "coordination.k8s.io/v1", "discovery.k8s.io/v1", "events.k8s.io/v1",
	"flowcontrol.apiserver.k8s.io/v1", "networking.k8s.io/v1", "node.k8s.io/v1", "policy/v1",
	"rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1",
}

// Types with an encoding of their own.
var leaves = map[reflect.Type]string{
	reflect.TypeOf(metav1.Time{}):                                "time",
	reflect.TypeOf(metav1.MicroTime{}):                           "microtime",
	reflect.TypeOf(metav1.Duration{}):                            "duration",
	reflect.TypeOf(metav1.FieldsV1{}):                            "raw",
	reflect.TypeOf(resource.Quantity{}):                          "quantity",
	reflect.TypeOf(intstr.IntOrString{}):                         "intorstring",
	reflect.TypeOf(runtime.RawExtension{}):                       "raw",
	reflect.TypeOf(apiextensions.JSON{}):                         "raw",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrArray{}):       "raw",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrBool{}):        "raw",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrStringArray{}): "raw",
}

type table struct {
	defs    map[string]common.OpenAPIDefinition
	aliases map[string]string // alias -> OpenAPI package
	kinds   map[reflect.Type][]string
	types   map[string]string // name -> text
}

func main() {
	t := &table{aliases: map[string]string{}, kinds: map[reflect.Type][]string{}, types: map[string]string{}}
	t.defs = openapi.GetOpenAPIDefinitions(func(path string) spec.Ref { return spec.MustCreateRef(path) })
	s := scheme.Scheme
	must(apiextensions.AddToScheme(s))
	must(apiregistration.AddToScheme(s))
	var roots []reflect.Type
	for _, text := range served {
		gv, err := schema.ParseGroupVersion(text)
		must(err)
		for kind, typ := range s.KnownTypes(gv) {
			meta := strings.HasSuffix(typ.PkgPath(), "/meta/v1")
			// The options and the watch event are registered with every group version; they belong to the first.
			if meta && text != "v1" || kind == "WatchEvent" || strings.HasPrefix(kind, "__") {
				continue
			}
			t.kinds[typ] = append(t.kinds[typ], text+"/"+kind)
			roots = append(roots, typ)
		}
	}
	for _, typ := range []any{metav1.Status{}, metav1.APIGroup{}, metav1.APIGroupList{}, metav1.APIResourceList{},
		metav1.APIVersions{}, metav1.DeleteOptions{}, metav1.LabelSelector{}} {
		roots = append(roots, reflect.TypeOf(typ))
	}
	for _, typ := range roots {
		t.visit(typ)
	}
	t.print()
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

// The package as OpenAPI names it: k8s.io/api/core/v1 is io.k8s.api.core.v1.
func openapiPackage(path string) string {
	host, rest, _ := strings.Cut(path, "/")
	labels := strings.Split(host, ".")
	for i, j := 0, len(labels)-1; i < j; i, j = i+1, j-1 {
		labels[i], labels[j] = labels[j], labels[i]
	}
	return strings.Join(labels, ".") + "." + strings.ReplaceAll(rest, "/", ".")
}

func (t *table) name(typ reflect.Type) string {
	full := openapiPackage(typ.PkgPath())
	parts := strings.Split(full, ".")
	alias := strings.Join(parts[len(parts)-2:], ".")
	if known, ok := t.aliases[alias]; ok && known != full {
		must(fmt.Errorf("two packages are called %s: %s and %s", alias, known, full))
	}
	t.aliases[alias] = full
	return alias + "." + typ.Name()
}

// The type of a value, as the table writes it, and the Go name that a reader would derive from that.
func (t *table) expr(typ reflect.Type) (string, string) {
	if leaf, ok := leaves[typ]; ok {
		derived := typ.String()
		if leaf == "raw" {
			derived = "" // several Go types share this leaf: say which
		}
		return named(leaf, derived, typ)
	}
	switch typ.Kind() {
	case reflect.Pointer:
		text, derived := t.expr(typ.Elem())
		return "*" + text, derived
	case reflect.Struct:
		t.visit(typ)
		return t.name(typ), typ.String()
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return named("bytes", "[]uint8", typ)
		}
		text, derived := t.expr(typ.Elem())
		return named("[]"+text, "[]"+derived, typ)
	case reflect.Map:
		text, derived := t.expr(typ.Elem())
		return named("{}"+text, "map[string]"+derived, typ)
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float64:
		return named(typ.Kind().String(), typ.Kind().String(), typ)
	case reflect.Int:
		return named("int64", "int64", typ)
	}
	must(fmt.Errorf("no way to write %s (%s)", typ, typ.Kind()))
	return "", ""
}

func named(text, derived string, typ reflect.Type) (string, string) {
	if derived != typ.String() {
		text = typ.String() + ":" + text
	}
	return text, typ.String()
}

func (t *table) visit(typ reflect.Type) {
	name := t.name(typ)
	if _, ok := t.types[name]; ok {
		return
	}
	t.types[name] = ""
	var out strings.Builder
	out.WriteString("type " + name)
	sort.Strings(t.kinds[typ])
	for _, kind := range t.kinds[typ] {
		out.WriteString(" kind:" + kind)
	}
	def := t.defs[typ.PkgPath()+"."+typ.Name()].Schema
	if v, ok := def.Extensions.GetString("x-kubernetes-map-type"); ok && v == "atomic" {
		out.WriteString(" atomic")
	}
	out.WriteString("\n")
	t.fields(&out, typ, def, "#")
	t.types[name] = out.String()
}

// Protobuf nests what JSON flattens, so a field has a path of numbers there: `#2.1`. Fields without number are not in it.
func (t *table) fields(out *strings.Builder, typ reflect.Type, def spec.Schema, numbers string) {
	for i := 0; i < typ.NumField(); i++ {
		field := typ.Field(i)
		tag := strings.Split(field.Tag.Get("json"), ",")
		if tag[0] == "-" || !field.IsExported() {
			continue
		}
		own := ""
		if words := strings.Split(field.Tag.Get("protobuf"), ","); len(words) > 1 && numbers != "" {
			own = numbers + words[1]
		}
		if tag[0] == "" && field.Anonymous {
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if own != "" {
				own += "."
			}
			t.fields(out, inner, def, own)
			continue
		}
		text, _ := t.expr(field.Type)
		out.WriteString(" " + tag[0] + " " + text)
		if own != "" {
			out.WriteString(" " + own)
		}
		omitted := false
		for _, option := range tag[1:] {
			if option == "omitempty" {
				omitted = true
				out.WriteString(" o")
			} else if option != "" && option != "inline" {
				must(fmt.Errorf("%s.%s: json option %q", typ, field.Name, option))
			}
		}
		for _, name := range def.Required {
			if name == tag[0] {
				out.WriteString(" r")
			}
		}
		prop, ok := def.Properties[tag[0]]
		if ok {
			out.WriteString(propFlags(prop, omitted || field.Type.Kind() == reflect.Pointer))
		}
		out.WriteString("\n")
	}
}

// What OpenAPI adds: list and map types, patch strategy, a default that is not the zero value, an enumeration.
func propFlags(prop spec.Schema, omitted bool) string {
	var out strings.Builder
	ext := prop.Extensions
	if v, ok := ext.GetString("x-kubernetes-list-type"); ok {
		keys, _ := ext.GetStringSlice("x-kubernetes-list-map-keys")
		out.WriteString(" list:" + v)
		if len(keys) > 0 {
			out.WriteString("(" + strings.Join(keys, ",") + ")")
		}
	}
	if v, ok := ext.GetString("x-kubernetes-map-type"); ok {
		out.WriteString(" map:" + v)
	}
	if v, ok := ext.GetString("x-kubernetes-patch-strategy"); ok {
		key, _ := ext.GetString("x-kubernetes-patch-merge-key")
		out.WriteString(" patch:" + v)
		if key != "" {
			out.WriteString("(" + key + ")")
		}
	}
	if prop.Default != nil {
		text, err := json.Marshal(prop.Default)
		must(err)
		switch string(text) {
		case "{}", "null", "[]":
		case `""`, "0", "false":
			// The zero value says something only where it would not be written anyway.
			if omitted {
				out.WriteString(" default:" + string(text))
			}
		default:
			out.WriteString(" default:" + string(text))
		}
	}
	if len(prop.Enum) > 0 {
		var values []string
		for _, v := range prop.Enum {
			values = append(values, fmt.Sprint(v))
		}
		out.WriteString(" enum:" + strings.Join(values, "|"))
	}
	return out.String()
}

func (t *table) print() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# Kubernetes v1.33.0. @generated by xtask/schema/generate")
	var aliases []string
	for alias := range t.aliases {
		aliases = append(aliases, alias)
	}
	sort.Strings(aliases)
	for _, alias := range aliases {
		fmt.Fprintln(out, "package", alias, t.aliases[alias])
	}
	var names []string
	for name := range t.types {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		out.WriteString(t.types[name])
	}
}
