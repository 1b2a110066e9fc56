{{- define "volant.name" -}}
{{- if contains "volant" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-volant" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The labels of one part. Arguments: root, part. */}}
{{- define "volant.selector" -}}
app.kubernetes.io/name: volant
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "volant.labels" -}}
{{ include "volant.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "volant.host" -}}
{{ include "volant.name" .root }}-{{ .part }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{- define "volant.image" -}}
{{ .Values.image.name }}:{{ .Values.image.tag }}
{{- end }}

{{/* Whether a job migrates the database: not the one in the chart, which is not there before an install. */}}
{{- define "volant.migrates" -}}
{{ if and .Values.migrate.enabled (not .Values.postgres.enabled) }}yes{{ end }}
{{- end }}

{{- define "volant.endpoint" -}}
{{- if .Values.objectStore.enabled }}http://{{ include "volant.host" (dict "root" . "part" "objectstore") }}:8087{{ else }}{{ required "blobs.endpoint: needed when objectStore.enabled is false" .Values.blobs.endpoint }}{{ end }}
{{- end }}

{{- define "volant.dsn" -}}
{{- if .Values.postgres.enabled -}}
postgresql://volant:{{ .Values.postgres.password | urlquery }}@{{ include "volant.host" (dict "root" . "part" "postgres") }}:5432/volant
{{- else -}}
{{ required "database.dsn or database.existingSecret: a PostgreSQL is needed (or postgres.enabled for trials)" .Values.database.dsn }}
{{- end -}}
{{- end }}

{{/* Where the database's address is: a secret and its key. */}}
{{- define "volant.dsnFrom" -}}
{{- if and .Values.database.existingSecret (not .Values.postgres.enabled) -}}
{name: {{ .Values.database.existingSecret }}, key: {{ .Values.database.existingSecretKey }}}
{{- else -}}
{name: {{ include "volant.name" . }}, key: dsn}
{{- end -}}
{{- end }}

{{- define "volant.blobKeyFrom" -}}
{{- if .root.Values.blobs.existingSecret -}}
{name: {{ .root.Values.blobs.existingSecret }}, key: {{ if eq .key "access-key" }}{{ .root.Values.blobs.existingSecretAccessKey }}{{ else }}{{ .root.Values.blobs.existingSecretSecretKey }}{{ end }}}
{{- else -}}
{name: {{ include "volant.name" .root }}, key: {{ .key }}}
{{- end -}}
{{- end }}

{{/* The peers' token: given, or the one of the release's secret, or a new one, the same in all of this rendering. */}}
{{- define "volant.peerToken" -}}
{{- if not .Values.peers.token -}}
{{- $kept := dig "data" "peer-token" "" (lookup "v1" "Secret" .Release.Namespace (include "volant.name" .)) -}}
{{- $_ := set .Values.peers "token" (ternary (b64dec $kept) (randAlphaNum 40) (ne $kept "")) -}}
{{- end -}}
{{ .Values.peers.token }}
{{- end }}

{{- define "volant.peerTokenFrom" -}}
{{- if .Values.peers.existingSecret -}}
{name: {{ .Values.peers.existingSecret }}, key: {{ .Values.peers.existingSecretKey }}}
{{- else -}}
{name: {{ include "volant.name" . }}, key: peer-token}
{{- end -}}
{{- end }}

{{- define "volant.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "volant.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What a server's environment has. Arguments: root, part. */}}
{{- define "volant.env" -}}
{{- if has .part (list "admin" "datacatalog") }}
- name: VOLANT_DATABASE__DSN
  valueFrom: {secretKeyRef: {{ include "volant.dsnFrom" .root }}}
{{- end }}
{{- if ne .part "postgres" }}
- name: VOLANT_BLOBS__ACCESS_KEY
  valueFrom: {secretKeyRef: {{ include "volant.blobKeyFrom" (dict "root" .root "key" "access-key") }}}
- name: VOLANT_BLOBS__SECRET_KEY
  valueFrom: {secretKeyRef: {{ include "volant.blobKeyFrom" (dict "root" .root "key" "secret-key") }}}
{{- end }}
{{- if has .part (list "admin" "datacatalog" "engine") }}
- name: VOLANT_PEERS__TOKEN
  valueFrom: {secretKeyRef: {{ include "volant.peerTokenFrom" .root }}}
{{- end }}
{{- if eq .part "objectstore" }}
- {name: VOLANT_BLOBS__ROOT, value: /data}
{{- end }}
{{- if eq .part "engine" }}
- name: VOLANT_ENGINE__NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- end }}

{{/* The pod of a service. Arguments: root, part, values (of the part), ports, mounts, volumes. */}}
{{- define "volant.pod" -}}
metadata:
  labels:
    {{- include "volant.selector" . | nindent 4 }}
    {{- with .root.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # A change of settings restarts the pods.
    checksum/config: {{ include (print .root.Template.BasePath "/config.yaml") .root | sha256sum }}
    checksum/secret: {{ include (print .root.Template.BasePath "/secret.yaml") .root | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "8088"
    {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "volant.name" .root }}{{ if eq .part "engine" }}-engine{{ end }}
  automountServiceAccountToken: {{ and (eq .part "engine") (eq .root.Values.engine.launcher "kubernetes") }}
  enableServiceLinks: false
  # Longer than the notice and the steps of the shutdown together.
  terminationGracePeriodSeconds: 60
  securityContext:
    {{- include "volant.podSecurity" . | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "volant.selector" . | nindent 10 }}
  containers:
    - name: {{ .part }}
      image: {{ include "volant.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [run, --service, {{ .part }}, --settings, /etc/volant/volant.toml]
      env:
        {{- include "volant.env" . | nindent 8 }}
        {{- with .values.env }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        {{- range .ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
      # The start may wait for the database; a restart brings neither it nor an admin back, so only `/alive` asks for one.
      startupProbe:
        httpGet: {path: /alive, port: http}
        periodSeconds: 1
        failureThreshold: 180
      livenessProbe:
        httpGet: {path: /alive, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /healthcheck, port: http}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      securityContext:
        {{- include "volant.containerSecurity" . | nindent 8 }}
      resources: {{ toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/volant, readOnly: true}
        - {name: scratch, mountPath: /tmp}
        {{- with .mounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap: {name: {{ include "volant.name" .root }}}
    - name: scratch
      emptyDir: {}
    {{- with .volumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}

{{/* A deployment with all that goes with it. Arguments as of volant.pod. */}}
{{- define "volant.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "volant.name" .root }}-{{ .part }}
  labels:
    {{- include "volant.labels" . | nindent 4 }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "volant.selector" . | nindent 6 }}
  template:
    {{- include "volant.pod" . | nindent 4 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "volant.name" .root }}-{{ .part }}
  labels:
    {{- include "volant.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "volant.selector" . | nindent 6 }}
{{- if .values.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "volant.name" .root }}-{{ .part }}
  labels:
    {{- include "volant.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "volant.name" .root }}-{{ .part }}}
  minReplicas: {{ .values.autoscaling.min }}
  maxReplicas: {{ .values.autoscaling.max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .values.autoscaling.cpu }}}}
{{- end }}
{{- end }}

{{/* A volume as `storage` says. Arguments: name, storage. Nothing for a claim, which a template makes. */}}
{{- define "volant.volume" -}}
{{- if eq .storage.kind "emptyDir" }}
- name: {{ .name }}
  emptyDir: {}
{{- else if eq .storage.kind "hostPath" }}
- name: {{ .name }}
  hostPath: {path: {{ required "storage.path: needed for a hostPath" .storage.path }}, type: Directory}
{{- end }}
{{- end }}

{{- define "volant.claims" -}}
{{- if eq .storage.kind "claim" }}
volumeClaimTemplates:
  - metadata: {name: {{ .name }}}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .storage.class }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ .storage.size }}}}
{{- end }}
{{- end }}
