// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Deployer is the name of the service account that Target creates.
const Deployer = "assent-deployer"

// Project is a namespace that holds Releases, Environments and Promotions.
type Project struct {
	// Name of the namespace.
	Name   string
	admin  client.Client
	rights []Right
}

// Project creates a project of its own: bob may create Releases and ask for promotions, alice and carol may approve. Dave and mallory may
// do nothing until Bind or Allow says so; what an owner does, the administrator does.
func (c *Cluster) Project(ctx context.Context) (*Project, error) {
	admin, err := c.Client(Admin)
	if err != nil {
		return nil, err
	}
	namespace, err := createNamespace(ctx, admin, "project-")
	if err != nil {
		return nil, err
	}
	project := &Project{Name: namespace, admin: admin}
	err = errors.Join(
		project.Bind(ctx, "assent-releaser", Bob),
		project.Bind(ctx, "assent-promoter", Bob),
		project.Bind(ctx, "assent-approver", Alice, Carol),
	)
	if err != nil {
		return nil, err
	}
	return project, nil
}

// ProjectNamed is a project that Project has created before.
func (c *Cluster) ProjectNamed(name string) (*Project, error) {
	admin, err := c.Client(Admin)
	if err != nil {
		return nil, err
	}
	return &Project{Name: name, admin: admin}, nil
}

// Bind gives users one of the shipped ClusterRoles in the project.
func (p *Project) Bind(ctx context.Context, clusterRole string, users ...string) error {
	for _, user := range users {
		p.bound(clusterRole, Right{User: user})
	}
	return bind(ctx, p.admin, p.Name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}, subjects(users))
}

// BindGroup gives the members of a group one of the shipped ClusterRoles in the project.
func (p *Project) BindGroup(ctx context.Context, clusterRole, group string) error {
	p.bound(clusterRole, Right{Group: group})
	members := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}}
	return bind(ctx, p.admin, p.Name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}, members)
}

// BindAccount gives a service account of the project one of the shipped ClusterRoles there.
func (p *Project) BindAccount(ctx context.Context, clusterRole, account string) error {
	p.bound(clusterRole, Right{User: "system:serviceaccount:" + p.Name + ":" + account})
	who := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: p.Name}}
	return bind(ctx, p.admin, p.Name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}, who)
}

// Allow gives a user rights that no shipped role has, in the project.
func (p *Project) Allow(ctx context.Context, user string, rules ...rbacv1.PolicyRule) error {
	p.allowed(user, rules)
	return allow(ctx, p.admin, p.Name, subjects([]string{user}), rules)
}

// Target creates a target namespace for an Environment: with a deployer who may work on the ordinary kinds there, whom the named users may
// impersonate. Those users may set an Environment up that goes there, as the administrator may anyway.
func (c *Cluster) Target(ctx context.Context, impersonators ...string) (v1alpha1.Target, error) {
	admin, err := c.Client(Admin)
	if err != nil {
		return v1alpha1.Target{}, err
	}
	namespace, err := createNamespace(ctx, admin, "target-")
	if err != nil {
		return v1alpha1.Target{}, err
	}
	target := v1alpha1.Target{Namespace: namespace, ServiceAccountName: Deployer}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: Deployer, Namespace: namespace}}
	if err := admin.Create(ctx, account); err != nil {
		return target, fmt.Errorf("creating the deployer: %w", err)
	}
	deployer := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: Deployer, Namespace: namespace}}
	if err := allow(ctx, admin, namespace, deployer, deployerRules()); err != nil {
		return target, err
	}
	if len(impersonators) == 0 {
		return target, nil
	}
	return target, allow(ctx, admin, namespace, subjects(impersonators), []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{Deployer}, Verbs: []string{"impersonate"}},
	})
}

// deployerRules are what an application's manifests usually hold. No RBAC: what a Release may not do has to be seen too.
func deployerRules() []rbacv1.PolicyRule {
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets", "services", "serviceaccounts", "pods", "persistentvolumeclaims"}, Verbs: verbs},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets"}, Verbs: verbs},
		{APIGroups: []string{"batch"}, Resources: []string{"jobs", "cronjobs"}, Verbs: verbs},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "networkpolicies"}, Verbs: verbs},
		{APIGroups: []string{"autoscaling"}, Resources: []string{"horizontalpodautoscalers"}, Verbs: verbs},
		{APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: verbs},
	}
}

func createNamespace(ctx context.Context, admin client.Client, prefix string) (string, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
	if err := admin.Create(ctx, namespace); err != nil {
		return "", fmt.Errorf("creating a namespace %q: %w", prefix, err)
	}
	return namespace.Name, nil
}

func allow(ctx context.Context, admin client.Client, namespace string, who []rbacv1.Subject, rules []rbacv1.PolicyRule) error {
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{GenerateName: "allowed-", Namespace: namespace}, Rules: rules}
	if err := admin.Create(ctx, role); err != nil {
		return fmt.Errorf("creating a role for %q in %q: %w", who[0].Name, namespace, err)
	}
	return bind(ctx, admin, namespace, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, who)
}

func bind(ctx context.Context, admin client.Client, namespace string, role rbacv1.RoleRef, who []rbacv1.Subject) error {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: role.Name + "-", Namespace: namespace},
		RoleRef:    role,
		Subjects:   who,
	}
	if err := admin.Create(ctx, binding); err != nil {
		return fmt.Errorf("binding %q in %q: %w", role.Name, namespace, err)
	}
	return nil
}

func subjects(users []string) []rbacv1.Subject {
	who := make([]rbacv1.Subject, 0, len(users))
	for _, user := range users {
		who = append(who, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
	}
	return who
}
