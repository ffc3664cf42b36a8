{{- /* What the operator may do in a namespace where it works. Secrets are not among it: the kubelet mounts them,
       the operator never sees one. */ -}}
{{- define "halimede.namespacedRules" -}}
# Patched for the finalizer alone. RBAC cannot tell it from the spec; the policy in policy.yaml does.
- apiGroups: [halimede.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch, patch]
- apiGroups: [halimede.dev]
  resources: [modeldeployments/status]
  verbs: [update]
# Needed for children whose owner reference blocks the owner's deletion, where the API server has the admission plugin
# OwnerReferencesPermissionEnforcement.
- apiGroups: [halimede.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- /* What it needs beside that when it works in every namespace: to learn of CRDs as they come. */ -}}
{{- define "halimede.clusterRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end -}}

{{- /* What it needs to find out who may read its metrics: two of the rights of system:auth-delegator. */ -}}
{{- define "halimede.reviewRules" -}}
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end -}}

{{- /* What it needs in its own namespace: the Lease by which its replicas agree on a leader. */ -}}
{{- define "halimede.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "halimede.fullname" . }}]
  verbs: [get, update]
{{- end -}}

{{- /* What the Job after helm uninstall needs: to remove the finalizer from ModelDeployments. */ -}}
{{- define "halimede.uninstallRules" -}}
- apiGroups: [halimede.dev]
  resources: [modeldeployments]
  verbs: [get, list, patch]
{{- end -}}
