{{- define "tagloom.name" -}}
{{- if contains "tagloom" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-tagloom" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "tagloom.selector" -}}
app.kubernetes.io/name: tagloom
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tagloom.labels" -}}
{{ include "tagloom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
