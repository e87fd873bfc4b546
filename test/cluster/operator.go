// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// workersLine is what the operator logs once for each of its controllers when that begins to work.
	workersLine = `"msg":"Starting workers"`
	// workers is how many controllers there are.
	workers = 3
	// stopPatience is how long the operator may take to end in good order.
	stopPatience = 20 * time.Second
)

// Operator is the real binary as a process of its own, connected as the operator's own service account.
type Operator struct {
	dir     string
	process *exec.Cmd
	// ended is closed when the process has ended, of itself or not.
	ended chan struct{}
	// began is how long the log was when the process was started.
	began int64
	// stopped says that the process was told to end.
	stopped bool
}

// BuildOperator builds the binary into a directory, which also takes its kubeconfig, its cache and its log. The objects of Assent must be
// installed, because the kubeconfig holds a token of its service account.
func (c *Cluster) BuildOperator(ctx context.Context, dir string) (*Operator, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	operator := &Operator{dir: dir}
	build := exec.CommandContext(ctx, "go", "build", "-o", operator.path("assent"), ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the operator: %w: %s", err, output)
	}
	config, err := c.ControllerConfig(ctx)
	if err != nil {
		return nil, err
	}
	return operator, writeKubeconfig(operator.path("kubeconfig"), config)
}

func writeKubeconfig(path string, config *rest.Config) error {
	const name = "operator"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
	}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return fmt.Errorf("writing the operator's kubeconfig: %w", err)
	}
	return nil
}

func (o *Operator) path(name string) string {
	return filepath.Join(o.dir, name)
}

// Start runs the operator with more flags, and returns when it is ready and its controllers work. Without --leader-elect among the flags
// it works at once.
func (o *Operator) Start(ctx context.Context, flags ...string) error {
	if o.Running() {
		return errors.New("the operator runs already")
	}
	probes, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(o.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if o.began, err = log.Seek(0, 2); err != nil {
		return err
	}
	// Without the context: it outlives the test that starts it.
	o.process = exec.Command(o.path("assent"), append([]string{
		"controller", "--kubeconfig=" + o.path("kubeconfig"), "--cache-dir=" + o.path("cache"),
		"--health-probe-bind-address=" + probes, "--metrics-bind-address=127.0.0.1:0",
	}, flags...)...)
	o.process.Stdout, o.process.Stderr = log, log
	if err := o.process.Start(); err != nil {
		return fmt.Errorf("starting the operator: %w", err)
	}
	o.ended, o.stopped = make(chan struct{}), false
	go func(process *exec.Cmd, ended chan struct{}) {
		_ = process.Wait() // how it ended is in its log
		close(ended)
	}(o.process, o.ended)
	return o.awaitWork(ctx, probes)
}

func (o *Operator) awaitWork(ctx context.Context, probes string) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		if !o.Running() {
			return false, errors.New("it has ended")
		}
		log, err := o.logFrom(o.began)
		return err == nil && strings.Count(log, workersLine) >= workers && ready(ctx, probes), err
	})
	if err != nil {
		return fmt.Errorf("waiting for the operator to work: %w; its log: %s", err, o.Log(0))
	}
	return nil
}

func ready(ctx context.Context, probes string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+probes+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(0)))
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// Running says whether the process lives.
func (o *Operator) Running() bool {
	if o.ended == nil {
		return false
	}
	select {
	case <-o.ended:
		return false
	default:
		return true
	}
}

// Ended says whether the process has ended although nobody has told it to.
func (o *Operator) Ended() bool {
	return o.ended != nil && !o.stopped && !o.Running()
}

// CoreTime is the processor time that the running operator has used. It is read from /proc, in hundredths of a second.
func (o *Operator) CoreTime() (time.Duration, error) {
	if !o.Running() {
		return 0, errors.New("the operator does not run")
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the operator's processor time: %w", err)
	}
	// The fields after the name, which is in parentheses and may hold anything: the 12th and 13th are user and system time.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var used time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the operator's processor time: %w", err)
		}
		used += time.Duration(ticks) * 10 * time.Millisecond
	}
	return used, nil
}

// Stop ends the operator in good order, and fails if it does not end.
func (o *Operator) Stop() error {
	return o.signal(syscall.SIGTERM)
}

// Kill ends the operator at once, as a machine that loses power does.
func (o *Operator) Kill() error {
	return o.signal(syscall.SIGKILL)
}

func (o *Operator) signal(signal syscall.Signal) error {
	if !o.Running() {
		return nil
	}
	o.stopped = true
	if err := o.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the operator: %w", err)
	}
	select {
	case <-o.ended:
		return nil
	case <-time.After(stopPatience):
		_ = o.process.Process.Kill()
		return fmt.Errorf("the operator did not end within %s", stopPatience)
	}
}

// LogSize is how much the operator has logged so far, over all its runs, in bytes.
func (o *Operator) LogSize() int64 {
	info, err := os.Stat(o.path("log"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// Log is what the operator has logged since the log had that size: its standard output and standard error.
func (o *Operator) Log(since int64) string {
	log, err := o.logFrom(since)
	if err != nil {
		return err.Error()
	}
	return log
}

func (o *Operator) logFrom(offset int64) (string, error) {
	content, err := os.ReadFile(o.path("log"))
	if err != nil {
		return "", err
	}
	return string(bytes.ToValidUTF8(content[min(offset, int64(len(content))):], nil)), nil
}

// Worked is when the controllers of the running operator began to work, because its caches were complete: as it has logged that itself.
func (o *Operator) Worked() (time.Time, error) {
	log, err := o.logFrom(o.began)
	if err != nil {
		return time.Time{}, err
	}
	var last time.Time
	for line := range strings.Lines(log) {
		var said struct {
			Time time.Time `json:"time"`
		}
		if strings.Contains(line, workersLine) && json.Unmarshal([]byte(line), &said) == nil && said.Time.After(last) {
			last = said.Time
		}
	}
	if last.IsZero() {
		return last, errors.New("the operator has not said that its controllers work")
	}
	return last, nil
}
