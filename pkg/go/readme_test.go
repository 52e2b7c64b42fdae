package tinymq_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The example of the README is built as the program of somebody else, and run.
func TestTheExampleOfTheReadme(t *testing.T) {
	address := os.Getenv("TINYMQ_URL")
	if address == "" {
		t.Skip("TINYMQ_URL says where a broker is")
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```go\n")
	example, _, _ := strings.Cut(rest, "```")
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := map[string]string{
		"go.mod": "module app\n\ngo 1.24\n\nrequire tinymq/pkg/go v0.0.0\n\nreplace tinymq/pkg/go => " + here + "\n",
		"main.go": "package main\n\nimport (\n\"context\"\n\"fmt\"\n\"tinymq/pkg/go\"\n)\n\nfunc main() {\nif err := run(context.Background()); err != nil {\npanic(err)\n}\n}\n\n" +
			"func run(ctx context.Context) error {\n" + strings.ReplaceAll(example, "tcp://localhost:1883", address) + "return nil\n}\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "run", ".")
	command.Dir = folder
	said, err := command.CombinedOutput()
	if err != nil || string(said) != "sensors/temp 22.5 [{unit C}]\n" {
		t.Errorf("%v: %s", err, said)
	}
}
