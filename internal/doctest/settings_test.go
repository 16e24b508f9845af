//go:build unix

package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// presets returns the default of each setting of the server, from the file that
// check-config --reference writes.
func presets(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/boundary-realtime.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^#([a-z][a-z0-9_]*): ?(.*)$`).FindAllStringSubmatch(string(text), -1) {
		all[line[1]] = line[2]
	}
	return all
}

// Variables that are no settings of the server, but of other commands.
var commandVariables = []string{"CONFIG", "API_URL", "URL", "TOKEN"}

// The documents name no setting that does not exist.
func TestDocumentsNameSettings(t *testing.T) {
	t.Parallel()
	known := presets(t)
	variable := regexp.MustCompile(`REALTIME_([A-Z][A-Z0-9_]*)`)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range variable.FindAllStringSubmatch(string(text), -1) {
			if strings.HasSuffix(found[1], "_") {
				continue // the beginning of several names
			}
			if _, ok := known[strings.ToLower(found[1])]; !ok && !slices.Contains(commandVariables, found[1]) {
				t.Errorf("%s: there is no setting %s", file, found[0])
			}
		}
	}
}

func documents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{root + "/*.md", root + "/docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 8 {
		t.Fatalf("only %d documents were found", len(files))
	}
	return files
}

// Every process manager of the page waits longer than a drain takes.
func TestStopTimesExceedTheDrain(t *testing.T) {
	t.Parallel()
	known := presets(t)
	drain := preset(t, known, "drain_delay") + preset(t, known, "drain")
	text, err := os.ReadFile(deployPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		`TimeoutStopSec=(\d+)`, `terminationGracePeriodSeconds: (\d+)`, `docker stop --time (\d+)`, `stop_grace_period: (\d+)s`, `\*\*(\d+) s\*\*`,
	} {
		found := regexp.MustCompile(pattern).FindSubmatch(text)
		if found == nil {
			t.Errorf("the page has no %s", pattern)
			continue
		}
		seconds, err := strconv.Atoi(string(found[1]))
		if err != nil || time.Duration(seconds)*time.Second < drain+5*time.Second {
			t.Errorf("%s is not 5 s longer than the %v of a drain", found[0], drain)
		}
	}
}

func preset(t *testing.T, known map[string]string, name string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(known[name])
	if err != nil {
		t.Fatalf("the default of %s: %v", name, err)
	}
	return d
}

// The Kubernetes manifest is YAML, and its probes ask for what the server answers.
func TestManifest(t *testing.T) {
	t.Parallel()
	type probe struct {
		HTTPGet struct{ Path string } `yaml:"httpGet"`
	}
	type container struct {
		Ready probe `yaml:"readinessProbe"`
		Live  probe `yaml:"livenessProbe"`
	}
	var manifest struct {
		Spec struct {
			Template struct {
				Spec struct{ Containers []container }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(deployBlock(t, "deployment.yaml")), &manifest); err != nil {
		t.Fatal(err)
	}
	containers := manifest.Spec.Template.Spec.Containers
	if len(containers) != 1 || containers[0].Ready.HTTPGet.Path != "/ready" || containers[0].Live.HTTPGet.Path != "/health" {
		t.Errorf("the probes are %+v", containers)
	}
}

// systemd understands the unit.
func TestUnit(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	unit := replace(t, deployBlock(t, "boundary-realtime.service"),
		"/usr/local/bin/boundary-realtime", "/bin/true",
		"/etc/boundary-realtime/boundary-realtime.env", "-/dev/null")
	file := filepath.Join(folder, "boundary-realtime.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	if err != nil || strings.Contains(string(output), file) {
		t.Errorf("systemd-analyze (make setup installs it): %v\n%s", err, output)
	}
}
