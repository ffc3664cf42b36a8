{{- define "halimede.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "halimede.fullname" -}}
{{- $name := include "halimede.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "halimede.selectorLabels" -}}
app.kubernetes.io/name: {{ include "halimede.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "halimede.labels" -}}
{{ include "halimede.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: halimede
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "halimede.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "halimede.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: name the ServiceAccount to use, since serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "halimede.matchers" -}}
{{- $items := list -}}
{{- range $label, $value := . -}}
{{- $items = append $items (printf "%s=%s" $label $value) -}}
{{- end -}}
{{- join "," $items -}}
{{- end -}}

{{- /* The image of the operator. */ -}}
{{- define "halimede.image" -}}
{{- $problem := "image.repository: the repository of Halimede's image is not set; build both images of the Dockerfile, push them to your registry, and set image.repository to it, such as registry.example.com/halimede" -}}
{{- $repository := required $problem .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The image of the init containers of models. */ -}}
{{- define "halimede.fetchImage" -}}
{{- $repository := default (printf "%s-fetch" .Values.image.repository) .Values.fetchImage.repository -}}
{{- if .Values.fetchImage.digest -}}
{{- printf "%s@%s" $repository .Values.fetchImage.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (coalesce .Values.fetchImage.tag .Values.image.tag .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "halimede.byTheOperator" -}}
- name: by-the-operator
  expression: request.userInfo.username == "system:serviceaccount:{{ .Release.Namespace }}:{{ include "halimede.serviceAccountName" . }}"
{{- end -}}

{{- /* Binds the policy .name, with .actions. */ -}}
{{- define "halimede.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "halimede.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: {{ toJson .actions }}
{{- end -}}

{{- /* A list of texts as a list in CEL; in YAML it needs no quotes. */ -}}
{{- define "halimede.celList" -}}
{{- toJson . | replace "\"" "'" -}}
{{- end -}}

{{- /* CEL: whether .name, an expression, is among the texts .entries; one with * at its end stands for all names like it. */ -}}
{{- define "halimede.celIsListed" -}}
{{- $names := list -}}
{{- $beginnings := list -}}
{{- range .entries -}}
{{- if hasSuffix "*" . -}}
{{- $beginnings = append $beginnings (trimSuffix "*" .) -}}
{{- else -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- $listed := printf "%s in %s" .name (include "halimede.celList" $names) -}}
{{- range $beginnings -}}
{{- $listed = printf "%s || %s.startsWith('%s')" $listed $.name . -}}
{{- end -}}
({{ $listed }})
{{- end -}}

{{- /* The annotations of Ingresses that are always allowed, as in operator/halimede/validation/allowed_names.py. */ -}}
{{- define "halimede.harmlessAnnotations" -}}
{{- range list "allowlist-source-range" "cors-allow-credentials" "cors-allow-headers" "cors-allow-methods" "cors-allow-origin" "cors-expose-headers" "cors-max-age" "denylist-source-range" "enable-cors" "force-ssl-redirect" "limit-burst-multiplier" "limit-connections" "limit-rate" "limit-rate-after" "limit-rpm" "limit-rps" "load-balance" "proxy-body-size" "proxy-buffering" "proxy-connect-timeout" "proxy-next-upstream" "proxy-next-upstream-timeout" "proxy-next-upstream-tries" "proxy-read-timeout" "proxy-request-buffering" "proxy-send-timeout" "ssl-redirect" "whitelist-source-range" }}
- nginx.ingress.kubernetes.io/{{ . }}
{{- end -}}
{{- end -}}

{{- define "halimede.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "halimede.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* The annotations of what is created after helm uninstall, and deleted again; its argument is the order. */ -}}
{{- define "halimede.uninstallHook" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
