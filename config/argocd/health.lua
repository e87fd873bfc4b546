-- Health of a Promotion for Argo CD: Suspended while it waits, so that an Application that holds one is neither Progressing nor Degraded for days.
-- In the ConfigMap argocd-cm: the key resource.customizations.health.assent.dev_Promotion with this text as its value.
local health = {status = "Suspended", message = "the plan is being made"}
if obj.status == nil or obj.status.conditions == nil then
  return health
end
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Succeeded" then
    health.message = condition.reason .. ": " .. (condition.message or "")
    if condition.status == "True" then
      health.status = "Healthy"
    elseif condition.reason == "Failed" or condition.reason == "RolledBack" or condition.reason == "Invalid" then
      health.status = "Degraded"
    elseif condition.status == "False" then
      -- Rejected, Expired, Superseded or Cancelled: ended by people, by time, or by a newer one. Nothing failed.
      health.status = "Healthy"
    elseif condition.reason == "RollingOut" or condition.reason == "Verifying" or condition.reason == "RollingBack" then
      health.status = "Progressing"
    end
  end
end
return health
