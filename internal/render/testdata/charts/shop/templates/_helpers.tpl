{{/* Labels of everything. */}}
{{- define "shop.labels" -}}
{{ include "common.labels" . }}
app.kubernetes.io/part-of: shop
{{- end -}}

{{- define "shop.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
